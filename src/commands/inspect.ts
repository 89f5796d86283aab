import { listing, treeFacts } from '../artefacts/facts.ts';
import type { Artefact } from '../artefacts/kind.ts';
import { openRootfs } from '../artefacts/open.ts';
import { memory } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';
import { databasesIn, type FoundDatabase } from '../families/families.ts';
import type { Host } from '../fetch/host.ts';
import { printable } from '../report/escape.ts';
import { size } from '../report/terminal.ts';
import { fromText } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type Context, withHost } from './context.ts';

/** Maximum number of parts of a structure that are printed as text. */
const PARTS = 24;

/** `osbuilder inspect FILE [--list] [--cat PATH] [--sbom FILE]`. */
export async function inspect(context: Context): Promise<void> {
  const path = context.call.positional[0]!;
  const cat = context.flag('cat');
  if (cat !== undefined && context.settings.json)
    throw new BuildError('USAGE', { reason: 'standard output cannot carry the content of a file and --json at once' });
  await withHost(context, async (host) => {
    const { sbom } = context.settings;
    if (sbom !== undefined) {
      const { validateTarget } = await import('../pipeline/validate-outputs.ts');
      validateTarget(sbom, false, path, { force: false, what: 'the bill of materials' });
    }
    const artefact = await openRootfs(path, host);
    if (sbom !== undefined) await writeBill(context, await artefact.tree(), sbom, host);
    if (cat !== undefined) return printFile(context, await artefact.tree(), cat);
    if (context.call.own['list'] === true) return printList(context, await artefact.tree());
    await printFacts(context, artefact);
  });
}

async function writeBill(context: Context, tree: Tree, path: string, host: Host): Promise<void> {
  const [{ billOfArtefact }, { pour }] = await Promise.all([import('../pipeline/bill.ts'), import('../bytes/pour.ts')]);
  const about = { tree, path: context.call.positional[0]!, version: context.terminal.version };
  const text = await billOfArtefact(context.settings, about, { ...host, report: context.report });
  await pour(memory(Buffer.from(text)).open(), path);
}

async function printFile(context: Context, tree: Tree, path: string): Promise<void> {
  const inode = tree.stat(fromText(path));
  if (inode === undefined) throw new BuildError('NO_SUCH_PATH', { path: path.replace(/^\/+/, '') });
  if (inode.kind !== 'file') throw new BuildError('NOT_A_FILE', { path: path.replace(/^\/+/, ''), kind: inode.kind });
  for await (const piece of inode.content.open()) context.terminal.out(piece);
}

function printList(context: Context, tree: Tree): void {
  if (context.settings.json) {
    context.terminal.out(`${JSON.stringify({ entries: [...listing(tree)] }, null, 2)}\n`);
    return;
  }
  for (const line of listing(tree)) context.terminal.out(`${line}\n`);
}

async function printFacts(context: Context, artefact: Artefact): Promise<void> {
  const { terminal, settings } = context;
  const structures = await artefact.structures();
  if (settings.json) {
    const tree = await artefact.tree();
    const facts = treeFacts(tree);
    const databases = await databasesIn(tree);
    const { path, kind, compression, size: bytes } = artefact;
    const document = { path, kind, compression, size: bytes, structures, tree: facts, ...packagesDocument(databases) };
    terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  // what has no parts is told as a whole, or not at all
  const whole = structures.length === 0 ? await artefact.tree() : undefined;
  const packed = artefact.compression === 'none' ? '' : `, compressed with ${artefact.compression}`;
  terminal.out(
    `${artefact.path}: ${artefact.kind}${packed}${artefact.size > 0 ? `, ${size(artefact.size).trim()}` : ''}\n`,
  );
  for (const { what, offset, size: bytes, facts: own, faults, parts = [] } of structures) {
    terminal.out(`\n${what} at byte ${offset}, ${bytes} bytes\n`);
    printRecord(terminal.out, own, '  ');
    for (const part of parts.slice(0, PARTS))
      terminal.out(`  ${part.what.padEnd(40)} at byte ${part.offset}, ${part.size} bytes\n`);
    if (parts.length > PARTS) terminal.out(`  … and ${parts.length - PARTS} more, which --json lists\n`);
    for (const fault of faults) terminal.out(`  DAMAGED: ${fault}\n`);
  }
  // the partitions of a disk are told, also where none of them can be read
  const tree = whole ?? (await artefact.tree());
  const { entries, files, directories, links, others, bytes, summary } = treeFacts(tree);
  const databases = await databasesIn(tree);
  terminal.out(
    `\n${entries} entries: ${files} files (${size(bytes).trim()}), ${directories} folders, ${links} links, ${others} others\n`,
  );
  if (summary !== undefined) terminal.out(`\n${summary}`);
  for (const database of databases) printPackages(terminal.out, database);
}

/** Installed packages for programs: sizes in bytes, null where the database does not say. */
function packagesDocument(databases: readonly FoundDatabase[]): Record<string, unknown> {
  return {
    databases: databases.map(({ family, folder, packages }) => ({
      family,
      folder: `/${folder}`,
      count: packages.length,
    })),
    packages: databases.flatMap(({ family, packages }) =>
      packages.map(({ name, version, architecture, size: bytes }) => ({
        ...{ name, version, architecture, family },
        size: bytes ?? null,
      })),
    ),
  };
}

function printPackages(out: (text: string) => void, { family, folder, packages }: FoundDatabase): void {
  out(`\n${packages.length} packages (${family}, /${folder})\n`);
  const width = (key: 'name' | 'version') => Math.max(0, ...packages.map((one) => one[key].length));
  const [names, versions] = [width('name'), width('version')];
  for (const { name, version, architecture, size: bytes } of packages) {
    const line = `  ${name.padEnd(names)}  ${version.padEnd(versions)}  ${architecture.padEnd(6)} ${bytes === undefined ? '' : size(bytes)}`;
    out(`${printable(line.trimEnd())}\n`);
  }
}

function printRecord(out: (text: string) => void, record: Readonly<Record<string, unknown>>, indent: string): void {
  for (const [name, value] of Object.entries(record)) {
    if (Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null)) {
      for (const [i, one] of value.entries()) {
        out(
          `${indent}${name.replace(/s$/, '')} ${(one as { number?: number }).number ?? i + 1}: ${Object.entries(
            one as object,
          )
            .filter(([key]) => key !== 'number')
            .map(([key, each]) => `${key} ${String(each)}`)
            .join(', ')}\n`,
        );
      }
    } else out(`${indent}${name.padEnd(18)} ${Array.isArray(value) ? value.join(' ') : String(value)}\n`);
  }
}
