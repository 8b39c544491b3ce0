/** Hugging Face's ViLT (transformers' modeling_vilt): its names are ours; ViltModel leaves the first part out. */
import type { Layout, Place } from "../../layout.ts";
import type { ViltConfigInput } from "../config.ts";

/** A table of modalities beside patches and words is in no other model. */
const SIGN = /^(vilt\.)?embeddings\.text_embeddings\.word_embeddings\.weight$/;

export const huggingface: Layout<ViltConfigInput> = {
  title: "Hugging Face's ViLT",
  recognise(tensors) {
    const sign = [...tensors.keys()].map((name) => SIGN.exec(name)).find(Boolean);
    if (!sign) return undefined;
    const bare = sign[1] === undefined;
    return { what: bare ? "ViltModel" : "ViLT", place: (name) => place(bare ? `vilt.${name}` : name) };
  },
  target: (name) => ({ name }),
};

const place = (name: string): Place =>
  /^(vilt\.)?classifier\./.test(name) ? { ignored: "heads of tasks" } : { to: name };
