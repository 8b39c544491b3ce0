export { type Machine, type Network, type Prediction, predict, type Work } from "./predict.ts";
export { type Timing, timeSteps } from "./step-time.ts";
export { type Calibration, type CalibrationOptions, calibrate, shareOf, type WorkerShare } from "./work.ts";
