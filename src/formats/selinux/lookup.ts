import { BuildError } from '../../errors/error.ts';
import type { Kind } from '../../tree/inode.ts';
import { type ContextLine, literalStart, type Substitution } from './contexts.ts';
import { compileExpression, type Expression, ExpressionError, type StatesKept } from './expression.ts';

/** A file_contexts file that was read. */
export interface ContextFile {
  /** Its path in the guest, for messages. */
  readonly path: string;
  readonly lines: readonly ContextLine[];
}

/** The files of a policy that say which label a path has. */
export interface PolicyFiles {
  /** In libselinux' order: file_contexts, .homedirs, .local. Later lines win. */
  readonly contexts: readonly ContextFile[];
  /** In the order in which they are applied: .subs, .subs_dist. */
  readonly substitutions: readonly (readonly Substitution[])[];
  /** Bytes that expressions may look at in all; 2 · 10¹⁰ by default. */
  readonly work?: number;
}

/** A line with what looking it up needs. */
interface Rule extends ContextLine {
  readonly path: string;
  /** Its place among all lines of all files: the last one wins. */
  readonly order: number;
  readonly start: string;
  compiled?: Expression;
}

/** Expressions that every path in a directory may match, by the directories that they begin with. */
interface Node {
  readonly rules: Rule[];
  readonly below: Map<string, Node>;
}

/** Bytes that expressions may look at; Debian's policy needs 4,000 for each path of a guest. */
const WORK = 2e10;

/**
 * Labels of paths, as libselinux' selabel_lookup finds them. A line without anything but literals beats every expression;
 * of those, the last one that matches wins. Expressions are kept in a tree of the directories that they begin with, so that
 * a path meets few of them.
 */
export class LabelLookup {
  readonly #literals = new Map<string, Rule[]>();
  readonly #root: Node = { rules: [], below: new Map() };
  readonly #substitutions: PolicyFiles['substitutions'];
  readonly #kept: StatesKept = { numbers: 0, dropped: 0 };
  readonly #limit: number;
  #work = 0;

  constructor(files: PolicyFiles) {
    this.#limit = files.work ?? WORK;
    // the last line of a list is looked at first
    this.#substitutions = files.substitutions.map((list) => [...list].reverse());
    let order = 0;
    for (const { path, lines } of files.contexts)
      for (const line of lines) {
        const rule: Rule = { ...line, path, order: order++, start: literalStart(line.expression) };
        if (line.literal === undefined) this.#plant(rule);
        else if (this.#literals.has(line.literal)) this.#literals.get(line.literal)!.push(rule);
        else this.#literals.set(line.literal, [rule]);
      }
  }

  /** Bytes that expressions have looked at. */
  get work(): number {
    return this.#work;
  }

  /** Compiles every expression, so that errors of the policy do not depend on the paths that are looked up. */
  check(): void {
    const all = [this.#root];
    for (let node = all.pop(); node !== undefined; node = all.pop()) {
      for (const rule of node.rules) rule.compiled = this.#compile(rule);
      for (const each of node.below.values()) all.push(each);
    }
  }

  /**
   * The label of an absolute path without `//` or a `/` at its end; undefined: no line is about it, or one that says
   * `<<none>>`. Throws `CONTEXTS_LIMIT` when the expressions of the policy cost too much.
   */
  label(path: string, kind: Kind): string | undefined {
    let at = path;
    for (const list of this.#substitutions) at = substituted(at, list);
    return (this.#literal(at, kind) ?? this.#matching(at, kind))?.label;
  }

  #literal(path: string, kind: Kind): Rule | undefined {
    return this.#literals.get(path)?.findLast((rule) => rule.kind === undefined || rule.kind === kind);
  }

  #matching(path: string, kind: Kind): Rule | undefined {
    let best: Rule | undefined;
    let node: Node | undefined = this.#root;
    // the first part of an absolute path is empty
    for (let from = 0; node !== undefined; ) {
      const { rules }: Node = node;
      for (let i = rules.length - 1; i >= 0 && (best === undefined || rules[i]!.order > best.order); i--) {
        const rule = rules[i]!;
        if (rule.kind !== undefined && rule.kind !== kind) continue;
        if (!path.startsWith(rule.start)) continue;
        this.#work += path.length;
        if (!(rule.compiled ??= this.#compile(rule)).matches(path)) continue;
        best = rule;
        break;
      }
      if (this.#work > this.#limit) throw new BuildError('CONTEXTS_LIMIT', { limit: this.#limit });
      if (from > path.length) break;
      const slash = path.indexOf('/', from);
      const end = slash < 0 ? path.length : slash;
      node = node.below.get(path.slice(from, end));
      from = end + 1;
    }
    return best;
  }

  #plant(rule: Rule): void {
    const whole = rule.start.split('/');
    // the last part may go on
    whole.pop();
    let node = this.#root;
    for (const part of whole) {
      let next = node.below.get(part);
      if (next === undefined) node.below.set(part, (next = { rules: [], below: new Map() }));
      node = next;
    }
    node.rules.push(rule);
  }

  #compile({ expression, path, line }: Rule): Expression {
    try {
      return compileExpression(expression, this.#kept);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw new BuildError('CONTEXTS_INVALID', { path, line, reason: `${expression}: ${error.message}` });
    }
  }
}

/** The path with its first prefix that has a substitution exchanged. */
function substituted(path: string, list: readonly Substitution[]): string {
  for (const { from, to } of list) {
    if (path === from) return to;
    if (path.startsWith(from) && path[from.length] === '/') return (to === '/' ? '' : to) + path.slice(from.length);
  }
  return path;
}
