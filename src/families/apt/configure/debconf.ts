import type { FileContent } from '../../../bytes/content.ts';
import { lines } from '../../../system/context.ts';

/** Non-interactive debconf(7): answers come from a preseed, else from the packages' own defaults. */

/** A question a package may ask: debconf-devel(7). */
export interface Template {
  readonly name: string;
  readonly type: string;
  readonly default: string | undefined;
  /** Fields by lower-case name (`choices`, `description`, …), untranslated. */
  readonly fields: ReadonlyMap<string, string>;
}

/** Questions with their current values and flags. One instance for the whole build. */
export class Debconf {
  private readonly templates = new Map<string, Template>();
  private readonly values = new Map<string, string>();
  private readonly flags = new Map<string, boolean>();
  private readonly substitutions = new Map<string, Map<string, string>>();
  private readonly preseed: ReadonlyMap<string, string>;

  constructor(preseed: ReadonlyMap<string, string> = new Map()) {
    this.preseed = preseed;
  }

  /** Loads a package's `templates` control file. */
  load(templates: FileContent): void {
    for (const template of readTemplates(Buffer.from(templates.readSync()).toString('latin1')))
      this.templates.set(template.name, template);
  }

  /** Preseeded answers to questions that no package has. */
  unknownAnswers(): string[] {
    return [...this.preseed.keys()].filter((name) => !this.templates.has(name));
  }

  /** The question's template, or undefined when no package has it. */
  template(name: string): Template | undefined {
    return this.templates.get(name);
  }

  /** `db_get`: undefined for an unknown question. */
  get(name: string): string | undefined {
    const set = this.values.get(name) ?? this.preseed.get(name);
    if (set !== undefined) return set;
    const template = this.templates.get(name);
    return template === undefined ? undefined : (template.default ?? (template.type === 'boolean' ? 'false' : ''));
  }

  /** True when a preseed or a script gave an answer. */
  answered(name: string): boolean {
    return this.values.has(name) || this.preseed.has(name);
  }

  /** `db_set`. */
  set(name: string, value: string): void {
    this.values.set(name, value);
  }

  /** `db_reset`: back to the default. */
  reset(name: string): void {
    this.values.delete(name);
  }

  /** `db_fset` and `db_fget`. */
  setFlag(name: string, flag: string, value: boolean): void {
    this.flags.set(`${name}\0${flag}`, value);
  }

  flag(name: string, flag: string): boolean {
    return this.flags.get(`${name}\0${flag}`) ?? (flag === 'seen' && this.preseed.has(name));
  }

  /** `db_subst`: fills `${key}` in the question's fields. */
  substitute(name: string, key: string, value: string): void {
    const all = this.substitutions.get(name) ?? new Map<string, string>();
    all.set(key, value);
    this.substitutions.set(name, all);
  }

  /** `db_metaget`: a field of the question, with substitutions applied. */
  meta(name: string, field: string): string | undefined {
    const text = this.templates.get(name)?.fields.get(field.toLowerCase());
    const all = this.substitutions.get(name);
    return text?.replace(/\$\{([^}]*)\}/g, (_, key: string) => all?.get(key) ?? '');
  }

  /** `db_register TEMPLATE QUESTION`. */
  register(template: string, question: string): boolean {
    const found = this.templates.get(template);
    if (found === undefined) return false;
    this.templates.set(question, { ...found, name: question });
    return true;
  }

  /** `db_unregister`, `db_purge`. */
  unregister(name: string): void {
    this.templates.delete(name);
    this.values.delete(name);
  }
}

/** Reads a templates file; translated fields (`Description-de.UTF-8`) are omitted. */
export function readTemplates(text: string): Template[] {
  const found: Template[] = [];
  for (const stanza of text.split(/\n(?:[ \t]*\n)+/)) {
    const fields = new Map<string, string>();
    let key: string | undefined;
    for (const line of lines(stanza)) {
      const head = /^([A-Za-z][A-Za-z-]*(?:\.[^:]*)?):\s*(.*)$/.exec(line);
      if (head !== null) {
        key = head[1]!.toLowerCase();
        fields.set(key, head[2]!);
      } else if (key !== undefined && /^\s/.test(line)) {
        fields.set(key, `${fields.get(key)}\n${line.trim()}`);
      }
    }
    const name = fields.get('template');
    if (name === undefined) continue;
    const plain = [...fields].filter(([one]) => !/^(description|choices|default)-/.test(one) || one === 'choices-c');
    found.push({ name, type: fields.get('type') ?? 'string', default: fields.get('default'), fields: new Map(plain) });
  }
  return found;
}

/**
 * Reads a preseed file (`OWNER QUESTION TYPE VALUE` lines), as debconf-set-selections(1) does. `onInvalid` receives the
 * malformed lines, with their numbers.
 */
export function readPreseed(
  text: string,
  onInvalid: (line: string, number: number) => void = () => {},
): Map<string, string> {
  const answers = new Map<string, string>();
  let held = '';
  for (const [i, row] of lines(text).entries()) {
    // a backslash at the end joins a line with the next
    if (row.endsWith('\\')) {
      held += row.slice(0, -1);
      continue;
    }
    const line = held + row;
    held = '';
    if (/^\s*(#|$)/.test(line)) continue;
    const found = /^\s*\S+\s+(\S+)\s+(\S+)(?:[ \t](.*))?$/.exec(line);
    if (found === null) onInvalid(line, i + 1);
    else if (found[2] !== 'seen') answers.set(found[1]!, found[3] ?? '');
  }
  return answers;
}
