import type { Node, Simple, Source, Word } from './ast.ts';
import { ASSIGNING, BUILTINS, SPECIAL } from './builtins.ts';
import { Call, type RunningShell, type Variable } from './command.ts';
import { expandFields, expandPattern, expandText } from './expand.ts';
import { contentText, FileError } from './files.ts';
import { asAssignment, isSyntaxError, Parser } from './parser.ts';
import { compilePattern, matches } from './pattern.ts';
import { Exit, PATHS, PID, ShellState } from './state.ts';
import { NULL, OutputStream, type Stream, textStream } from './streams.ts';

/** Steps charged for throwing and catching an error. */
const TROUBLE = 12;
const SHELL_SCRIPT = /^#! *\/(usr\/)?bin\/(env +)?(sh|dash|bash)\b/;

/** A shell: its state and the evaluator of the syntax tree. */
export class Shell extends ShellState implements RunningShell {
  /** The pipeline command whose status is discarded, and the simple command that runs. */
  #aside: Node | undefined;
  #simpleNode: Node | undefined;
  /** The script and line at which the shell last ended or was stopped before the end of a script. */
  ended: { readonly script: string; readonly line: number } | undefined;
  #endedBy: unknown;
  #substituted: number | undefined;
  /** True inside a condition, including its substitutions: unknown commands are not reported there. */
  #quiet = false;

  substitute(body: Node | undefined): string {
    const out = new OutputStream(this.budget);
    if (body === undefined) this.#substituted = 0;
    else
      this.#substituted = this.budget.deeper(() =>
        this.subshell(() => {
          this.descriptors.set(1, out);
          return this.run(body, false);
        }),
      );
    const text = out.text.includes('\0') ? out.text.replaceAll('\0', '') : out.text;
    let end = text.length;
    while (end > 0 && text.charCodeAt(end - 1) === 10) end--;
    return text.slice(0, end);
  }

  /** Parses and runs source text in this shell, command by command. */
  runText(text: string, source: Source, tested = false, line = 1): number {
    const parser = new Parser(source, this.budget, { aliases: this.aliases, text, line });
    const before = this.source;
    this.source = source;
    let status = 0;
    try {
      for (;;) {
        let node: Node | undefined;
        try {
          node = parser.next();
        } catch (error) {
          if (!isSyntaxError(error)) throw error;
          this.line = error.context.line;
          this.fail(`Syntax error: ${error.context.reason}`);
        }
        if (node === undefined) return status;
        status = this.run(node, tested);
        if (this.skip !== undefined) return status;
      }
    } catch (error) {
      // keep the position of the innermost source
      if (this.#endedBy !== error) {
        this.#endedBy = error;
        this.ended = { script: source.name, line: this.line };
      }
      throw error;
    } finally {
      this.source = before;
    }
  }

  /** Runs a complete script at the top level of this shell: exits are caught and the EXIT trap runs. */
  main(body: () => number): number {
    let status: number;
    try {
      status = body();
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
      this.budget.spend(TROUBLE);
      status = error.status;
    }
    return this.#atExit(status);
  }

  #atExit(status: number): number {
    const trap = this.traps.get('EXIT');
    this.traps.delete('EXIT');
    if (trap === undefined || trap === '') return status;
    this.skip = undefined;
    this.status = status;
    try {
      this.runText(trap, this.source, false, this.line);
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
      return error.status;
    }
    return status;
  }

  /** Runs `body` with a copy of everything a subshell may change, then restores the original state. */
  subshell(body: () => number): number {
    const { variables, functions, aliases, options, traps, positional, descriptors, locals, name } = this;
    const { status, line, source, loops, skip, optionAt } = this;
    const { cwd, umask } = this.files;
    this.#copied(locals.length);
    this.variables = new Map(variables);
    this.functions = new Map(functions);
    this.aliases = new Map(aliases);
    this.options = new Set(options);
    this.descriptors = new Map(descriptors);
    this.locals = locals.map((frame) => new Map(frame));
    // a subshell runs only traps that it sets itself; ignored signals stay ignored
    this.traps = new Map([...traps].filter(([, action]) => action === ''));
    try {
      return this.main(body);
    } finally {
      Object.assign(this, { variables, functions, aliases, options, traps, positional, descriptors, locals, name });
      Object.assign(this, { status, line, source, loops, skip, optionAt });
      this.files.cwd = cwd;
      this.files.umask = umask;
    }
  }

  /** Charges the budget for a copy of the shell's state. */
  #copied(more: number): void {
    const { variables, functions, aliases, options, traps, descriptors } = this;
    const size = variables.size + functions.size + aliases.size + options.size + traps.size + descriptors.size + more;
    this.budget.spend(2 + (size >>> 1));
  }

  /**
   * Runs a node. `tested`: its status is checked (condition, left of `&&` and `||`, after `!`), so `set -e` does not
   * end the shell for anything inside it.
   */
  run(node: Node, tested: boolean): number {
    const status = this.#evaluate(node, tested);
    this.status = status;
    return status;
  }

  #checked(status: number, tested: boolean): number {
    this.status = status;
    if (status !== 0 && !tested && this.options.has('e')) throw new Exit(status);
    return status;
  }

  #quietly<T>(tested: boolean, body: () => T): T {
    const before = this.#quiet;
    this.#quiet ||= tested;
    try {
      return body();
    } finally {
      this.#quiet = before;
    }
  }

  #evaluate(node: Node, tested: boolean): number {
    switch (node.kind) {
      case 'simple':
        return this.#checked(
          this.#quietly(tested, () => this.#simple(node, tested)),
          tested,
        );
      case 'sequence': {
        let status = 0;
        for (const item of node.items) {
          status = this.run(item, tested);
          if (this.skip !== undefined) break;
        }
        return status;
      }
      case 'and':
      case 'or': {
        const status = this.run(node.left, true);
        if ((status === 0) === (node.kind === 'or') || this.skip !== undefined) return status;
        return this.run(node.right, tested);
      }
      case 'not': {
        const status = this.run(node.body, true);
        return this.skip !== undefined ? status : status === 0 ? 1 : 0;
      }
      case 'if': {
        const status = this.run(node.test, true);
        if (this.skip !== undefined) return status;
        if (status === 0) return this.run(node.then, tested);
        return node.otherwise === undefined ? 0 : this.run(node.otherwise, tested);
      }
      case 'loop':
        return this.#loop(node, tested);
      case 'for':
        return this.#for(node, tested);
      case 'case':
        return this.#case(node, tested);
      case 'subshell':
        return this.#checked(
          this.budget.deeper(() => this.subshell(() => this.run(node.body, tested))),
          tested,
        );
      case 'pipeline':
        return this.#checked(this.#pipeline(node.commands, tested), tested);
      case 'background': {
        const status = this.subshell(() => {
          this.descriptors.set(0, NULL);
          return this.run(node.body, false);
        });
        this.jobs.set(String(Number(PID) + this.jobs.size + 1), status);
        return 0;
      }
      case 'redirected':
        return this.#redirected(node, tested);
      case 'function':
        this.functions.set(node.name, node.body);
        return 0;
    }
  }

  #redirected(node: Node & { kind: 'redirected' }, tested: boolean): number {
    this.line = node.line;
    let saved: Map<number, Stream | undefined>;
    try {
      saved = this.redirect(node.redirects);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.#say(error.reason);
      return 2;
    }
    try {
      return this.run(node.body, tested);
    } finally {
      this.restore(saved);
    }
  }

  #say(reason: string): void {
    this.stream(2)?.write(`${this.name}: ${this.line}: ${reason}\n`);
  }

  /** Handles a pending break or continue; true when this loop must end. */
  #leaves(): boolean {
    const { skip } = this;
    if (skip === undefined || skip.kind === 'return') return skip !== undefined;
    if (--skip.levels > 0) return true;
    this.skip = undefined;
    return skip.kind === 'break';
  }

  #loop(node: Node & { kind: 'loop' }, tested: boolean): number {
    let status = 0;
    this.loops++;
    try {
      for (;;) {
        this.budget.spend();
        const test = this.run(node.test, true);
        if (this.skip !== undefined) {
          const kind = this.skip.kind;
          if (kind === 'return') status = test;
          if (this.#leaves()) break;
          continue;
        }
        if ((test === 0) === node.until) break;
        status = this.run(node.body, tested);
        if (this.skip !== undefined && this.#leaves()) break;
      }
    } finally {
      this.loops--;
    }
    return status;
  }

  #for(node: Node & { kind: 'for' }, tested: boolean): number {
    this.line = node.line;
    const values = node.words === undefined ? this.positional : expandFields(node.words, this);
    let status = 0;
    this.loops++;
    try {
      for (const value of values) {
        this.budget.spend();
        this.assign(node.name, value);
        status = this.run(node.body, tested);
        if (this.skip !== undefined && this.#leaves()) break;
      }
    } finally {
      this.loops--;
    }
    return status;
  }

  #case(node: Node & { kind: 'case' }, tested: boolean): number {
    this.line = node.line;
    const subject = expandText(node.subject, this);
    for (const { patterns, body } of node.cases)
      for (const pattern of patterns) {
        this.budget.spend();
        if (!matches(compilePattern(expandPattern(pattern, this), this.budget), subject, this.budget)) continue;
        return body === undefined ? 0 : this.run(body, tested);
      }
    return 0;
  }

  /** Runs the commands from left to right; the complete output of each is the input of the next. */
  #pipeline(commands: readonly Node[], tested: boolean): number {
    let input: Stream | undefined;
    let status = 0;
    let failed = 0;
    for (const [i, command] of commands.entries()) {
      const out = i < commands.length - 1 ? new OutputStream(this.budget) : undefined;
      status = this.budget.deeper(() =>
        this.subshell(() => {
          if (input !== undefined) this.descriptors.set(0, input);
          if (out !== undefined) {
            this.descriptors.set(1, out);
            this.#aside = command;
          }
          return this.run(command, tested);
        }),
      );
      if (out !== undefined) input = textStream(out.text);
      if (status !== 0) failed = status;
    }
    return this.options.has('|') ? failed : status;
  }

  #simple(node: Simple, tested: boolean): number {
    this.budget.spend();
    this.line = node.line;
    this.source = node.source;
    this.#substituted = undefined;
    const args = this.#arguments(node.words);
    const name = args[0];
    const builtin = name === undefined || this.functions.has(name) ? undefined : BUILTINS.get(name);
    const special = builtin !== undefined && SPECIAL.has(name!);
    if (name === undefined) this.#substituted ??= 0;
    // a trace goes to the standard error from before the command's own redirections
    const errors = this.stream(2);
    let saved: Map<number, Stream | undefined>;
    try {
      saved = this.redirect(node.redirects);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.budget.spend(TROUBLE);
      this.#say(error.reason);
      if (special) throw new Exit(2);
      return 2;
    }
    const undo: [string, Variable | undefined][] = [];
    try {
      for (const { name: variable, value } of node.assignments) {
        const text = expandText(value, this, 'assignment');
        if (name !== undefined && !special) undo.push([variable, this.variables.get(variable)]);
        this.assign(variable, text, name !== undefined && !special);
        if (name === undefined) this.#trace([`${variable}=${text}`], errors);
      }
      if (name === undefined) return this.#substituted ?? 0;
      this.#trace(args, errors);
      this.#simpleNode = node;
      if (special && name === 'exec') {
        saved = new Map();
        if (args.length > 1) throw new Exit(this.invoke(args.slice(1), tested));
        return 0;
      }
      return this.#dispatch(args, tested, special);
    } finally {
      for (const [variable, value] of undo.reverse())
        if (value === undefined) this.variables.delete(variable);
        else this.variables.set(variable, value);
      this.restore(saved);
    }
  }

  #trace(args: readonly string[], errors: Stream | undefined): void {
    if (this.options.has('x')) errors?.write(`+ ${args.join(' ')}\n`);
  }

  #arguments(words: readonly Word[]): string[] {
    const args: string[] = [];
    let next = 0;
    while (next < words.length && args.length === 0) args.push(...expandFields([words[next++]!], this));
    if (args.length > 0 && ASSIGNING.has(args[0]!))
      for (const word of words.slice(next)) {
        const assignment = asAssignment(word);
        if (assignment === undefined) args.push(...expandFields([word], this));
        else args.push(`${assignment.name}=${expandText(assignment.value, this, 'assignment')}`);
      }
    else args.push(...expandFields(words.slice(next), this));
    return args;
  }

  #dispatch(args: readonly string[], tested: boolean, special: boolean): number {
    const name = args[0]!;
    const body = this.functions.get(name);
    if (body !== undefined) return this.callFunction(body, args.slice(1), tested);
    const builtin = BUILTINS.get(name);
    if (builtin === undefined) return this.invoke(args, tested);
    try {
      return builtin(new Call(this, name, args.slice(1)), tested);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.budget.spend(TROUBLE);
      this.#say(`${name}: ${error.reason}`);
      if (special) throw new Exit(2);
      return name === 'echo' || name === 'printf' ? 1 : 2;
    }
  }

  /** Calls a function. */
  callFunction(body: Node, args: readonly string[], tested: boolean): number {
    const { positional, loops, optionAt, source } = this;
    this.positional = args;
    this.loops = 0;
    this.optionAt = 0;
    this.locals.push(new Map());
    try {
      const status = this.budget.deeper(() => this.run(body, tested));
      if (this.skip?.kind === 'return') this.skip = undefined;
      return status;
    } finally {
      for (const [name, variable] of this.locals.pop() ?? [])
        if (variable === undefined) this.variables.delete(name);
        else this.variables.set(name, variable);
      Object.assign(this, { positional, loops, optionAt, source });
    }
  }

  /** Runs a builtin or program by its arguments, ignoring functions. */
  invoke(args: readonly string[], tested = false): number {
    const name = args[0] ?? '';
    this.budget.spend();
    const known = this.#known(name);
    if (known !== undefined) {
      this.budget.spend(8);
      const call = new Call(this, name.slice(name.lastIndexOf('/') + 1), args.slice(1));
      try {
        return known(call, tested) & 255;
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        this.budget.spend(TROUBLE);
        this.stream(2)?.write(`${call.name}: ${error.reason}\n`);
        return 1;
      }
    }
    const path = name.includes('/') ? name : this.lookUp(name);
    const inode = path === undefined ? undefined : this.files.find(path);
    if (inode?.kind === 'file') {
      const script = inode.content.size > 1 << 20 ? '' : contentText(inode.content, this.budget);
      if (SHELL_SCRIPT.test(script)) return this.#script(path!, script, args.slice(1));
    }
    return this.unknown(name, inode?.kind !== 'file');
  }

  /**
   * Reports an unknown command. Returns 127 without a warning where the script handles a failure, else 0 and notes the
   * line. `missing`: the tree has no such program, so a real system would not find it either. `loud`: warn even where
   * the script handles the failure.
   */
  unknown(name: string, missing = false, loud = false): number {
    const text = this.source.text.split('\n')[this.line - 1]?.trim() ?? '';
    // inside a pipeline the status of a missing program is discarded
    const tested = this.#quiet || (missing && this.#aside !== undefined && this.#aside === this.#simpleNode);
    this.budget.spend(TROUBLE);
    this.budget.look(this.source.text.length);
    this.world.unknown({
      script: this.source.name,
      line: this.line,
      command: name,
      text,
      tested: tested && !loud,
      missing,
    });
    this.stream(2)?.write(`${this.name}: ${this.line}: ${name}: not found\n`);
    return tested ? 127 : 0;
  }

  /** The emulated program for a name or any path to it, unless a path outside PATHS is a shell script of the tree. */
  #known(name: string): ((call: Call, tested: boolean) => number) | undefined {
    if (!name.includes('/')) return BUILTINS.get(name) ?? this.world.commands.get(name);
    const command =
      this.world.commands.get(name.slice(name.lastIndexOf('/') + 1)) ??
      BUILTINS.get(name.slice(name.lastIndexOf('/') + 1));
    if (command === undefined || PATHS.includes(name.slice(0, name.lastIndexOf('/')))) return command;
    const inode = this.files.find(name);
    // a script of that name is interpreted, unless it is written for a program that is not a shell
    return inode?.kind === 'file' && SHELL_SCRIPT.test(contentText(inode.content, this.budget)) ? undefined : command;
  }

  /** Runs a script in a new shell, which gets the exported variables only. */
  #script(path: string, text: string, args: readonly string[]): number {
    const options = /^#!\S+ +-([a-z]+)/.exec(text)?.[1] ?? '';
    return this.child(path, args, options, (shell) => shell.runText(text, { name: path, text }));
  }

  /** Runs `body` in a new shell over the same tree, for `sh` or a script of the tree. */
  child(name: string, args: readonly string[], options: string, body: (shell: Shell) => number): number {
    return this.budget.deeper(() => {
      const { cwd, umask } = this.files;
      this.#copied(16);
      const environment: [string, string][] = [];
      for (const [key, { value, exported }] of this.variables)
        if (exported && value !== undefined) environment.push([key, value]);
      const shell = new Shell(this.world, name, environment);
      shell.positional = args;
      for (const letter of options) shell.options.add(letter);
      shell.descriptors = new Map(this.descriptors);
      try {
        return shell.main(() => body(shell));
      } finally {
        this.files.cwd = cwd;
        this.files.umask = umask;
      }
    });
  }

  /** Path of a program found in PATH: one in the tree, or one that counts as present. */
  lookUp(name: string): string | undefined {
    if (name.includes('/')) {
      const inode = this.files.find(name);
      return inode !== undefined && inode.kind !== 'directory' && (inode.mode & 0o111) !== 0 ? name : undefined;
    }
    for (const folder of (this.get('PATH') ?? '').split(':')) {
      const path = `${folder === '' ? '.' : folder}/${name}`;
      const inode = this.files.find(path);
      if (inode?.kind === 'file' && (inode.mode & 0o111) !== 0) return path;
    }
    return this.world.present.has(name) ? `/usr/bin/${name}` : undefined;
  }
}
