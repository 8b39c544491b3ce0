/** `flava engine`: the engines that npm does not bring. */
import { Argument, type Command } from "commander";
import { engines } from "../engines/catalogue.ts";
import { action } from "./command.ts";

const NAMES = engines.map(({ name }) => name);

/** Adds `engine list`, `engine add` and `engine remove`. */
export function define(program: Command): void {
  const engine = program
    .command("engine")
    .summary("XLA and OpenVINO: which are here, fetch one, remove one")
    .description("engines that npm does not bring: list them, fetch one from Python's package index, remove it")
    .addHelpText("after", "\nExample:\n  flava engine list");
  defineList(engine);
  defineAdd(engine);
  defineRemove(engine);
}

function defineList(engine: Command): void {
  engine
    .command("list")
    .description("show the engines that there are, and which of them this computer has: in the cache or in a Python")
    .addHelpText("after", "\nExample:\n  flava engine list --json")
    .action(action(async (io) => (await import("./engine-run.ts")).list(io)));
}

function defineAdd(engine: Command): void {
  engine
    .command("add")
    .description(
      "fetch an engine's wheel from Python's package index, check it, and unpack its libraries into the cache",
    )
    .addArgument(new Argument("<name>", "which engine").choices(NAMES))
    .option("--version <version>", "of the engine's own package (default: the newest)")
    .option("--no-deps", "leave out what the engine needs besides, such as the libraries of CUDA")
    .option("--index-url <url>", "this index instead of those in pip's configuration")
    .option("--dry-run", "say what would be fetched, and fetch nothing")
    .addHelpText(
      "after",
      `
No Python is needed. Where one is told of mirrors and credentials, that counts here too: pip.conf, PIP_INDEX_URL,
PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, ~/.netrc.

Examples:
  flava engine add xla-cpu
  flava engine add xla-cuda13 --dry-run
  flava engine add openvino --version 1.8.1`,
    )
    .action(action(async (io, args, options) => (await import("./engine-run.ts")).add(io, args[0]!, options as never)));
}

function defineRemove(engine: Command): void {
  engine
    .command("remove")
    .description("remove an engine that engine add has fetched; those of an installed Python stay")
    .addArgument(new Argument("<name>", "which engine").choices(NAMES))
    .option("--version <version>", "only this version of it")
    .addHelpText("after", "\nExample:\n  flava engine remove xla-cpu")
    .action(
      action(async (io, args, options) => (await import("./engine-run.ts")).remove(io, args[0]!, options as never)),
    );
}
