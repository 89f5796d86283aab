import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { isCompiled, readCompiled } from '../formats/selinux/compiled.ts';
import { parseContexts, parseSubstitutions } from '../formats/selinux/contexts.ts';
import { LabelLookup } from '../formats/selinux/lookup.ts';
import type { Inode } from '../tree/inode.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { type Labels, setLabel } from './label.ts';

/** Bytes of one file of the policy; Debian's largest has 350 KB. */
const FILE_LIMIT = 32 * 1024 * 1024;
/** Hard links named in a note. */
const NAMED = 5;

/**
 * Reads which labels the policy of a rootfs gives, as libselinux finds it: etc/selinux/config names the policy,
 * its contexts/files/ has file_contexts with .homedirs, .local, .subs and .subs_dist,
 * each of the first three also in compiled form (.bin), which is read where the text is not there. Throws `SELINUX_POLICY_MISSING`,
 * `CONTEXTS_INVALID`, `CONTEXTS_COMPILED`.
 */
export function labelsOf(tree: Tree): Labels {
  const folder = contextsFolder(tree);
  const read = (name: string): string | undefined => textOf(tree, `${folder}/${name}`);
  const contexts = ['file_contexts', 'file_contexts.homedirs', 'file_contexts.local'].flatMap((name) => {
    const text = read(name);
    // the compiled form is made of the text, and has nothing more
    const compiled = text === undefined ? read(`${name}.bin`) : undefined;
    const path = `/${folder}/${name}${compiled === undefined ? '' : '.bin'}`;
    const found = text ?? compiled;
    if (found === undefined) return [];
    const bytes = Buffer.from(found, 'latin1');
    return [{ path, lines: isCompiled(bytes) ? readCompiled(bytes, path) : parseContexts(found, path) }];
  });
  if (!/file_contexts(\.bin)?$/.test(contexts[0]?.path ?? ''))
    throw missing(`there is no /${folder}/file_contexts, nor its compiled form`);
  const substitutions = ['file_contexts.subs', 'file_contexts.subs_dist'].map((name) =>
    parseSubstitutions(read(name) ?? '', `/${folder}/${name}`),
  );
  const lookup = new LabelLookup({ contexts, substitutions });
  lookup.check();
  const bytes = new Map<string, Uint8Array>();
  return (path, kind) => {
    const label = lookup.label(`/${path}`, kind);
    if (label === undefined) return undefined;
    let value = bytes.get(label);
    // setfilecon(3) stores the NUL, too
    if (value === undefined) bytes.set(label, (value = Buffer.from(`${label}\0`, 'latin1')));
    return value;
  };
}

/** Labels every inode of a tree; one that has no label in the policy loses what it has. */
export function labelTree(tree: Tree, labels: Labels, report: Report): void {
  setLabel(tree.root, labels('', 'directory'));
  // the first name of a hard link, in the order of bytes, decides
  const first = new Map<Inode, string>();
  const disagreeing: string[] = [];
  for (const { path, inode } of tree.walk()) {
    const label = labels(path, inode.kind);
    const other = inode.kind === 'directory' ? undefined : first.get(inode);
    if (other === undefined) {
      first.set(inode, path);
      setLabel(inode, label);
    } else if (labels(other, inode.kind) !== label) disagreeing.push(`/${display(path)} and /${display(other)}`);
  }
  if (disagreeing.length > 0) {
    const more = disagreeing.length > NAMED ? ` and ${disagreeing.length - NAMED} more` : '';
    report({
      kind: 'note',
      message: `the policy has different labels for names of the same file; the later one got it: ${disagreeing.slice(0, NAMED).join(', ')}${more}`,
    });
  }
}

/** The folder of the policy's file_contexts, from the root. */
function contextsFolder(tree: Tree): string {
  const config = textOf(tree, 'etc/selinux/config');
  if (config === undefined) throw missing('there is no /etc/selinux/config');
  const type = /^[ \t]*SELINUXTYPE[ \t]*=[ \t]*(\S+)[ \t]*$/m.exec(config)?.[1] ?? 'targeted';
  if (!/^[\w.-]+$/.test(type) || type === '.' || type === '..')
    throw missing(`/etc/selinux/config names the policy "${display(type)}"`);
  return `etc/selinux/${type}/contexts/files`;
}

function textOf(tree: Tree, path: string): string | undefined {
  const inode = tree.stat(path);
  if (inode === undefined) return undefined;
  if (inode.kind !== 'file') throw missing(`/${path} is no regular file`);
  if (inode.content.size > FILE_LIMIT) throw missing(`/${path} is larger than ${FILE_LIMIT} bytes`);
  return tree.text(path);
}

function missing(reason: string): BuildError<'SELINUX_POLICY_MISSING'> {
  return new BuildError('SELINUX_POLICY_MISSING', { reason });
}
