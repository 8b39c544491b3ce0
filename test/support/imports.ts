/** What source files import, read with the TypeScript parser; for the tests of the architecture. */
import { posix } from "node:path";
import ts from "typescript";

export interface Import {
  /** As written: "../tensor/index.ts", "node:fs", "zod". */
  readonly specifier: string;
  /** The imported file of this project, as a path from its root; absent for packages. */
  readonly file?: string;
  /** Gone after compilation. */
  readonly typeOnly: boolean;
  /** Loaded when the line runs, not before the file does. */
  readonly later: boolean;
}

const parse = (path: string, text: string): ts.SourceFile => ts.createSourceFile(path, text, ts.ScriptTarget.Latest);

const known = new Map<string, { readonly text: string; readonly imports: Import[] }>();

/** `importsOf` of a file that is asked about again and again. */
function importsOnce(path: string, text: string): Import[] {
  const before = known.get(path);
  if (before?.text === text) return before.imports;
  const imports = importsOf(path, text);
  known.set(path, { text, imports });
  return imports;
}

/** All imports of a file: static, re-exports, dynamic, and files named by `new URL("./x", import.meta.url)`. */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  const note = (node: ts.Expression | undefined, typeOnly: boolean, later = false): void => {
    if (!node || !ts.isStringLiteralLike(node)) return;
    const specifier = node.text;
    const local = specifier.startsWith(".") ? { file: posix.join(posix.dirname(path), specifier) } : {};
    found.push({ specifier, typeOnly, later, ...local });
  };
  const source = parse(path, text);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      note(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) note(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      note(node.argument.literal as ts.Expression, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      note(node.arguments[0], false, true);
    else if (
      ts.isNewExpression(node) &&
      node.expression.getText(source) === "URL" &&
      node.arguments?.[1]?.getText(source) === "import.meta.url"
    )
      note(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Whether a file only re-exports: what a room's index.ts is. */
export const onlyReexports = (path: string, text: string): boolean =>
  parse(path, text).statements.every((s) => ts.isExportDeclaration(s) && s.moduleSpecifier !== undefined);

/** The first cycle among imports that survive compilation, as a list of files that ends where it begins. */
export function findCycle(imports: ReadonlyMap<string, readonly Import[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const { file: next, typeOnly } of imports.get(file) ?? []) {
      const cycle = next && !typeOnly && imports.has(next) ? visit(next) : undefined;
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of imports.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}

export interface ReachOptions {
  readonly read: (path: string) => string;
  /** Which imports count. */
  readonly follow: (one: Import) => boolean;
  /** Files that names like "#decode" stand for. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** Packages and modules of Node that a file reaches: name → the chain of files that leads there. */
export function reachedFrom(entry: string, { read, follow, aliases = {} }: ReachOptions): Map<string, string> {
  const found = new Map<string, string>();
  const seen = new Set<string>();
  const visit = (path: string, chain: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const one of importsOnce(path, read(path)).filter(follow)) {
      const { specifier, file = aliases[specifier] } = one;
      if (file?.endsWith(".ts")) visit(file, `${chain} → ${file}`);
      else if (!file && !found.has(specifier)) found.set(specifier, chain);
    }
  };
  visit(entry, entry);
  return found;
}
