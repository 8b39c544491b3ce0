/**
 * Writes docs/api.md from the doc comments of what the package exports: TypeDoc reads the sources, this file lays the page out.
 * `--check` writes nothing and fails where the page is not what the sources say.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, ReflectionKind as Kind } from "typedoc";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = join(root, "docs", "api.md");

/** The entries that most programs need, in the order of the page. Others are in docs/package.md. */
const ENTRIES = [
  "index",
  "api/index",
  "collections/index",
  "export/index",
  "pretrain/index",
  "data/index",
  "hub/index",
  "runtime/index",
];
const nameOf = (entry) => (entry === "index" ? "flava" : `flava/${entry.replace("/index", "")}`);

const INTRO = `# What the main entries export

Made from the doc comments of the sources by \`npm run docs:api\`; do not edit it. [package.md](package.md) lists all entries, and examples are in
the other pages. A field with \`?\` may be left out.`;

async function read() {
  const app = await Application.bootstrap({
    entryPoints: ENTRIES.map((entry) => join(root, "src", `${entry}.ts`)),
    tsconfig: join(root, "tsconfig.json"),
    basePath: root,
    disableSources: true,
    excludePrivate: true,
    excludeExternals: true,
    excludeInternal: true,
    skipErrorChecking: true,
    sort: ["source-order"],
    logLevel: "Error",
  });
  const project = await app.convert();
  if (!project) throw new Error("TypeDoc could not read the sources");
  return project;
}

/** Text of a comment, its tags after it. */
function textOf(comment) {
  if (!comment) return "";
  const join = (parts) =>
    parts
      .map((part) => part.text)
      .join("")
      .trim();
  const tags = comment.blockTags.map((tag) => `${tag.tag === "@throws" ? "Throws" : tag.tag} ${join(tag.content)}`);
  return [join(comment.summary), ...tags]
    .filter((text) => text !== "")
    .join("\n\n")
    .replace(/\s*\n(?!\n)\s*/g, (gap) => (gap.includes("\n\n") ? "\n\n" : "\n"));
}

const typeOf = (type) => (type ? type.toString().replace(/\s+/g, " ").replaceAll(", any, any>", ">") : "unknown");
const cell = (text) => text.replace(/\|/g, "\\|").replace(/\n+/g, " ");
const code = (text) => `\`\`\`ts no-run\n${text}\n\`\`\``;

/** `name(a: A, options?: B): C`; an object that is taken apart in place is called options. */
function signature(name, s) {
  const parameters = (s.parameters ?? []).map((p) => {
    const called = p.name.startsWith("__") ? "options" : p.name;
    const optional = p.flags.isOptional || p.defaultValue !== undefined;
    return `${p.flags.isRest ? "..." : ""}${called}${optional ? "?" : ""}: ${typeOf(p.type)}`;
  });
  const generics = s.typeParameters?.length
    ? `<${s.typeParameters.map((t) => t.name + (t.type ? ` extends ${typeOf(t.type)}` : "")).join(", ")}>`
    : "";
  const line = `${name}${generics}(${parameters.join(", ")}): ${typeOf(s.type)}`;
  return line.length <= 120
    ? line
    : `${name}${generics}(\n${parameters.map((p) => `  ${p},\n`).join("")}): ${typeOf(s.type)}`;
}

/** A table of fields and methods. */
function fields(children) {
  const rows = children.map((c) => {
    const method = c.signatures?.[0];
    const about = textOf(c.comment ?? method?.comment ?? c.getSignature?.comment);
    const shown = method
      ? signature(c.name, method).replace(/\s*\n\s*/g, " ")
      : `${c.name}${c.flags.isOptional ? "?" : ""}`;
    const type = method ? "" : typeOf(c.type ?? c.getSignature?.type).replace(/^undefined \| | \| undefined$/g, "");
    return `| \`${cell(shown)}\` | ${type === "" ? "" : `\`${cell(type)}\``} | ${cell(about)} |`;
  });
  return ["| field | type | what |", "| --- | --- | --- |", ...rows].join("\n");
}

const own = (reflection) =>
  (reflection.children ?? []).filter((c) => !c.inheritedFrom && !c.name.startsWith("[") && c.kind !== Kind.Constructor);

function functionPart(r) {
  return r.signatures.flatMap((s) => [code(signature(r.name, s)), textOf(s.comment)]);
}

function classPart(r) {
  const methods = own(r).filter((c) => c.signatures);
  const rest = own(r).filter((c) => !c.signatures);
  return [
    textOf(r.comment),
    ...(rest.length ? [fields(rest)] : []),
    ...methods.flatMap((m) =>
      m.signatures.flatMap((s) => [
        code(`${m.flags.isStatic ? `${r.name}.` : ""}${signature(m.name, s)}`),
        textOf(s.comment),
      ]),
    ),
  ];
}

function typePart(r) {
  const children = own(r.type?.declaration ?? r);
  const bases = (r.extendedTypes ?? []).map(typeOf);
  const from = bases.length ? [`With the fields of ${bases.map((b) => `\`${b}\``).join(", ")}.`] : [];
  const calls = (r.signatures ?? r.type?.declaration?.signatures ?? []).map((s) => code(signature(r.name, s)));
  if (children.length) return [textOf(r.comment), ...calls, ...from, fields(children)];
  if (calls.length) return [textOf(r.comment), ...calls];
  return [
    textOf(r.comment),
    ...from,
    ...(r.type
      ? [
          code(
            `${r.kind === Kind.Variable ? "const" : "type"} ${r.name}${r.kind === Kind.Variable ? ":" : " ="} ${typeOf(r.type)}`,
          ),
        ]
      : []),
  ];
}

const LAYOUT = { [Kind.Function]: functionPart, [Kind.Class]: classPart };
const ORDER = [Kind.Class, Kind.Function, Kind.Variable, Kind.Interface, Kind.TypeAlias];

function entryPart(name, module) {
  const all = module.children ?? [];
  const again = all
    .filter((r) => r.kind === Kind.Reference)
    .map((r) => `\`${r.name}\``)
    .sort();
  const parts = all
    .filter((r) => ORDER.includes(r.kind))
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || (a.name < b.name ? -1 : 1))
    .map((r) => [`### ${r.name}`, ...(LAYOUT[r.kind] ?? typePart)(r)].filter((text) => text !== "").join("\n\n"));
  const also = again.length ? [`Told elsewhere on this page: ${again.join(", ")}.`] : [];
  return [`## ${name}`, ...also, ...parts].join("\n\n");
}

const project = await read();
const modules = new Map(project.children.map((module) => [module.name, module]));
const parts = ENTRIES.map((entry) => entryPart(nameOf(entry), modules.get(`src/${entry}`.replace(/\/index$/, ""))));
const text = `${[INTRO, ...parts].join("\n\n")}\n`;
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  console.error("docs/api.md is not what the sources say: npm run docs:api");
  process.exitCode = 1;
}
