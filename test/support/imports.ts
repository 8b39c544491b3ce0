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
}

const parse = (path: string, text: string): ts.SourceFile => ts.createSourceFile(path, text, ts.ScriptTarget.Latest);

/** All imports of a file: static, re-exports, dynamic, and files named by `new URL("./x", import.meta.url)`. */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  const note = (node: ts.Expression | undefined, typeOnly: boolean): void => {
    if (!node || !ts.isStringLiteralLike(node)) return;
    const specifier = node.text;
    const local = specifier.startsWith(".") ? { file: posix.join(posix.dirname(path), specifier) } : {};
    found.push({ specifier, typeOnly, ...local });
  };
  const source = parse(path, text);
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      note(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) note(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      note(node.argument.literal as ts.Expression, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      note(node.arguments[0], false);
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

/** Modules of Node that an entry or its types reach in a browser: each as the chain of files that leads to it. */
export function nodeModulesReached(
  entry: string,
  read: (path: string) => string,
  aliases: Readonly<Record<string, string>>,
): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string, chain: readonly string[]): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const { specifier, file = aliases[specifier] } of importsOf(path, read(path))) {
      if (specifier.startsWith("node:")) found.push([...chain, path, specifier].join(" → "));
      else if (file?.endsWith(".ts")) visit(file, [...chain, path]);
    }
  };
  visit(entry, []);
  return found;
}
