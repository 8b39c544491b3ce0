"""Writes test/golden/tensorboard/events.bin with TensorBoard's own classes (pip install tensorboard).

Run from the repository root: python test/reference/make_tensorboard.py
"""

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.record_writer import RecordWriter

scalars = Summary(value=[Summary.Value(tag="loss", simple_value=0.1), Summary.Value(tag="größe", simple_value=-2.0)])
image = Summary.Image(height=2, width=3, colorspace=3, encoded_image_string=b"\x89PNG")
text = Summary.Value(
    tag="note",
    tensor=TensorProto(
        dtype=DT_STRING,
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
        string_val=["hallo, welt".encode()],
    ),
)
text.metadata.plugin_data.plugin_name = "text"

events = [
    Event(wall_time=1700000000.5, file_version="brain.Event:2"),
    Event(wall_time=1700000001.0, step=1, summary=scalars),
    Event(wall_time=1700000002.0, step=300, summary=Summary(value=[Summary.Value(tag="picture", image=image)])),
    Event(wall_time=1700000003.0, step=2**40, summary=Summary(value=[text])),
    Event(wall_time=1700000004.0, step=5, session_log=SessionLog(status=SessionLog.START)),
]

out = Path("test/golden/tensorboard/events.bin")
with out.open("wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
