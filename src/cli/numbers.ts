/** Numbers among a command's arguments. */
import { InvalidArgumentError } from "commander";

/** 0, 1, 2, …. Throws what commander prints with the option's name. */
export function natural(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
}

/** 1, 2, 3, …. */
export function positive(text: string): number {
  const value = natural(text);
  if (value < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

/** "0,1,2": different whole numbers. */
export function seedsOf(text: string): number[] {
  const seeds = text.split(",").map((one) => natural(one.trim()));
  if (new Set(seeds).size < seeds.length) throw new InvalidArgumentError("expected different seeds");
  return seeds;
}

/** From 0 to below 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < 1))
    throw new InvalidArgumentError("expected a share from 0 to below 1, as 0.1");
  return value;
}
