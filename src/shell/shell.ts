import { asAssignment } from './assignment.ts';
import type { Assignment, Condition, Dialect, Node, Simple, Word } from './ast.ts';
import { BASH_BUILTINS } from './bash-builtins.ts';
import { ASSIGNING, BUILTINS, type Builtin, SPECIAL } from './builtins.ts';
import { Call, type RunningShell, type Variable } from './command.ts';
import { holds } from './condition.ts';
import { expandFields, expandPattern, expandText } from './expand.ts';
import { contentText, FileError } from './files.ts';
import { UsageError } from './given.ts';
import { misuse } from './misuse.ts';
import { compilePattern, matches } from './pattern.ts';
import { dialectOf, ScriptShell } from './script-shell.ts';
import { Exit, PATHS, PID } from './state.ts';
import { NULL, OutputStream, type Stream, textStream } from './streams.ts';

/** From this length on the kernel takes no argument (MAX_ARG_STRLEN in its include/uapi/linux/binfmts.h), its NUL counted. */
const ARGUMENT_MAX = 128 * 1024;
/** Steps charged for throwing and catching an error. */
const TROUBLE = 12;
const SHELL_SCRIPT = /^#! *\/(usr\/)?bin\/(env +)?(sh|dash|bash)\b/;

const BASH_ASSIGNING: ReadonlySet<string> = new Set(['declare', 'typeset']);

/** A shell: its state and the evaluator of the syntax tree. */
export class Shell extends ScriptShell implements RunningShell {
  /** The pipeline command whose status is discarded, and the simple command that runs. */
  #aside: Node | undefined;
  #simpleNode: Node | undefined;
  /** Assignments of lists among the arguments of the builtin that runs, as `declare -a x=(…)` has. */
  lists: Assignment[] = [];
  /** True inside a condition, including its substitutions: unknown commands are not reported there. */
  #quiet = false;

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
    if (status !== 0 && !tested) {
      if (this.bash && this.traps.has('ERR')) this.#onError(status);
      if (this.options.has('e')) throw new Exit(status);
    }
    return status;
  }

  /** Runs bash's ERR trap. Functions have it only with `set -E`. */
  #onError(status: number): void {
    const action = this.traps.get('ERR')!;
    if (action === '' || (this.callers.length > 0 && !this.options.has('E'))) return;
    this.traps.delete('ERR');
    this.runText(action, this.source, true, this.line);
    if (!this.traps.has('ERR')) this.traps.set('ERR', action);
    this.status = status;
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
      case 'condition':
        this.line = node.line;
        return this.#checked(this.#condition(node.condition), tested);
      case 'arithmetic':
        this.line = node.line;
        return this.#checked(this.calculate(expandText(node.expression, this, 'document')) === 0n ? 1 : 0, tested);
      case 'count':
        return this.#count(node, tested);
    }
  }

  #condition(condition: Condition): number {
    const processes = this.processes;
    this.budget.spend();
    try {
      return holds(condition, this) ? 0 : 1;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.say(error.reason);
      return 2;
    } finally {
      this.finishProcesses(processes);
    }
  }

  /** `for ((…))` of bash. */
  #count(node: Node & { kind: 'count' }, tested: boolean): number {
    const calculate = (word: Word) => this.calculate(expandText(word, this, 'document'));
    calculate(node.start);
    const empty = node.test.every((part) => part.kind === 'text' && part.text.trim() === '');
    let status = 0;
    this.loops++;
    try {
      while (empty || calculate(node.test) !== 0n) {
        this.budget.spend();
        status = this.run(node.body, tested);
        if (this.skip !== undefined && this.#leaves()) break;
        calculate(node.step);
      }
    } finally {
      this.loops--;
    }
    return status;
  }

  #redirected(node: Node & { kind: 'redirected' }, tested: boolean): number {
    this.line = node.line;
    let saved: Map<number, Stream | undefined>;
    const processes = this.processes;
    try {
      saved = this.redirect(node.redirects);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.say(error.reason);
      return this.#checked(this.bash ? 1 : 2, tested);
    }
    try {
      return this.run(node.body, tested);
    } finally {
      this.restore(saved);
      this.finishProcesses(processes);
    }
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
    const fold = this.shopts.has('nocasematch');
    const fits = (pattern: Word) => {
      this.budget.spend();
      const source = expandPattern(pattern, this);
      const compiled = compilePattern(fold ? source.toLowerCase() : source, this.budget, false, this.bash);
      return matches(compiled, fold ? subject.toLowerCase() : subject, this.budget);
    };
    let status = 0;
    let runs = false;
    for (const { patterns, body, next } of node.cases) {
      if (!runs && !patterns.some(fits)) continue;
      status = body === undefined ? 0 : this.run(body, tested);
      if (next === 'end' || this.skip !== undefined) break;
      runs = next === 'run';
    }
    return status;
  }

  /** Runs the commands from left to right; the complete output of each is the input of the next. */
  #pipeline(commands: readonly Node[], tested: boolean): number {
    let input: Stream | undefined;
    let status = 0;
    let failed = 0;
    const statuses: number[] = [];
    for (const [i, command] of commands.entries()) {
      const out = i < commands.length - 1 ? new OutputStream(this.budget, true) : undefined;
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
      if (out !== undefined) input = textStream(out.text, out);
      if (status !== 0) failed = status;
      statuses.push(status);
    }
    this.statuses = statuses;
    return this.options.has('|') ? failed : status;
  }

  #simple(node: Simple, tested: boolean): number {
    this.budget.spend();
    this.line = node.line;
    this.source = node.source;
    this.substituted = undefined;
    const processes = this.processes;
    const args = this.#arguments(node.words);
    const name = args[0];
    const builtin = name === undefined || this.functions.has(name) ? undefined : this.#builtin(name);
    const special = builtin !== undefined && SPECIAL.has(name!);
    // in bash neither assignments before special builtins nor errors in them are different
    const strict = special && this.dialect !== 'bash';
    if (name === undefined) this.substituted ??= 0;
    // a trace goes to the standard error from before the command's own redirections
    const errors = this.stream(2);
    let saved: Map<number, Stream | undefined>;
    try {
      saved = this.redirect(node.redirects);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.budget.spend(TROUBLE);
      this.say(error.reason);
      if (strict) throw new Exit(this.bash ? 1 : 2);
      return this.bash ? 1 : 2;
    }
    const undo: [string, Variable | undefined][] = [];
    try {
      for (const assignment of node.assignments) {
        const { name: variable } = assignment;
        if (name !== undefined && !strict) undo.push([variable, this.variables.get(variable)]);
        if (this.bash) this.assignWords(assignment, name !== undefined && !strict);
        else this.assign(variable, expandText(assignment.value, this, 'assignment'), name !== undefined && !strict);
        if (name === undefined) this.#trace([`${variable}=${this.get(variable) ?? ''}`], errors);
      }
      if (name === undefined) return this.substituted ?? 0;
      this.#trace(args, errors);
      this.#simpleNode = node;
      if (special && name === 'exec') {
        saved = new Map();
        if (args.length === 1) return 0;
        // the program replaces the shell, whose traps never run
        this.traps.delete('EXIT');
        throw new Exit(this.invoke(args.slice(1), tested));
      }
      return this.#dispatch(args, tested, strict);
    } finally {
      for (const [variable, value] of undo.reverse())
        if (value === undefined) this.variables.delete(variable);
        else this.variables.set(variable, value);
      this.restore(saved);
      if (this.bash) {
        this.statuses = [this.status];
        this.finishProcesses(processes);
      }
    }
  }

  #builtin(name: string): Builtin | undefined {
    return (this.bash ? BASH_BUILTINS.get(name) : undefined) ?? BUILTINS.get(name);
  }

  #trace(args: readonly string[], errors: Stream | undefined): void {
    if (this.options.has('x')) errors?.write(`+ ${args.join(' ')}\n`);
  }

  #arguments(words: readonly Word[]): string[] {
    const args: string[] = [];
    let next = 0;
    while (next < words.length && args.length === 0)
      for (const each of expandFields([words[next++]!], this)) args.push(each);
    if (args.length > 0 && (ASSIGNING.has(args[0]!) || (this.bash && BASH_ASSIGNING.has(args[0]!))))
      for (const word of words.slice(next)) {
        const assignment = asAssignment(word, this.bash);
        if (assignment === undefined) for (const each of expandFields([word], this)) args.push(each);
        else
          args.push(
            this.bash
              ? this.#postponed(assignment)
              : `${assignment.name}=${expandText(assignment.value, this, 'assignment')}`,
          );
      }
    else for (const each of expandFields(words.slice(next), this)) args.push(each);
    return args;
  }

  /** An assignment as the argument of `declare` and similar builtins, which may need its words for an array. */
  #postponed(assignment: Assignment): string {
    const { name, value, append, subscript } = assignment;
    const list = value.length === 1 && value[0]!.kind === 'array';
    const key = subscript === undefined ? '' : `[${expandText(subscript, this)}]`;
    const start = `${name}${key}${append ? '+' : ''}=`;
    if (!list) return start + expandText(value, this, 'assignment');
    const text = `${start}(\0${this.lists.length}`;
    this.lists.push(assignment);
    return text;
  }

  #dispatch(args: readonly string[], tested: boolean, special: boolean): number {
    const name = args[0]!;
    const body = this.functions.get(name);
    if (body !== undefined) return this.callFunction(name, body, args.slice(1), tested);
    const builtin = this.#builtin(name);
    if (builtin === undefined) return this.invoke(args, tested);
    const call = new Call(this, name, args.slice(1));
    try {
      return misuse(call, special) ?? builtin(call, tested);
    } catch (error) {
      if (error instanceof UsageError) return this.#misused(call, error);
      if (!(error instanceof FileError)) throw error;
      this.budget.spend(TROUBLE);
      this.say(`${name}: ${error.reason}`);
      if (special) throw new Exit(2);
      return name === 'echo' || name === 'printf' ? 1 : 2;
    }
  }

  /** Calls a function. */
  callFunction(name: string, body: Node, args: readonly string[], tested: boolean): number {
    const { positional, loops, optionAt, source } = this;
    this.positional = args;
    // a `break` of bash does not leave a function either
    this.loops = 0;
    this.optionAt = 0;
    this.locals.push(new Map());
    if (this.bash) this.callers.push({ name, line: this.line, source: source.name });
    try {
      const status = this.budget.deeper(() => this.run(body, tested));
      if (this.skip?.kind === 'return') this.skip = undefined;
      return status;
    } finally {
      if (this.bash) this.callers.pop();
      // `local -` saves the options
      for (const [local, variable] of this.locals.pop() ?? [])
        if (local === '-') this.options = new Set(variable!.value!.split(','));
        else if (variable === undefined) this.variables.delete(local);
        else this.variables.set(local, variable);
      this.options.delete('');
      Object.assign(this, { positional, loops, optionAt, source });
    }
  }

  /** Runs a builtin or program by its arguments, ignoring functions. */
  invoke(args: readonly string[], tested = false): number {
    const name = args[0] ?? '';
    this.budget.spend();
    const known = this.#known(name);
    // the kernel starts no program with a longer argument, of which the terminating NUL is a part
    if (args.some((arg) => arg.length >= ARGUMENT_MAX) && this.#builtin(name) === undefined) {
      this.budget.spend(TROUBLE);
      this.stream(2)?.write(`${this.name}: ${this.line}: ${name}: Argument list too long\n`);
      return 126;
    }
    if (known !== undefined) {
      this.budget.spend(8);
      const call = new Call(this, name.slice(name.lastIndexOf('/') + 1), args.slice(1));
      try {
        return call.finish(known(call, tested) & 255);
      } catch (error) {
        if (error instanceof UsageError) return this.#misused(call, error);
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
      if (SHELL_SCRIPT.test(script) && (inode.mode & 0o111) === 0) {
        this.stream(2)?.write(`${this.name}: ${this.line}: ${name}: Permission denied\n`);
        return 126;
      }
      if (SHELL_SCRIPT.test(script)) return this.#script(path!, script, args.slice(1));
    }
    return this.unknown(name, inode?.kind !== 'file');
  }

  /**
   * Prints and reports an option that a command does not take. One that the real program would not take either makes
   * the command fail; after one that is only missing here the script goes on as after an unknown command.
   */
  #misused(call: Call, error: UsageError): number {
    call.complain(error.message);
    const status = this.unknown(`${call.name} ${error.option}`, false, true, true);
    return error.missing ? status : error.status;
  }

  /**
   * Reports an unknown command. Returns 127 without a warning where the script handles a failure, else 0 and notes the
   * line. `missing`: the tree has no such program, so a real system would not find it either. `loud`: warn even where
   * the script handles the failure. `silent`: a message has been printed already.
   */
  unknown(name: string, missing = false, loud = false, silent = false): number {
    const text = this.#sourceLine();
    // inside a pipeline the status of a missing program is discarded
    const tested = this.#quiet || (missing && this.#aside !== undefined && this.#aside === this.#simpleNode);
    this.budget.spend(TROUBLE);
    this.world.unknown({
      script: this.source.name,
      line: this.line,
      command: name,
      text,
      tested: tested && !loud,
      missing,
    });
    if (!silent) this.stream(2)?.write(`${this.name}: ${this.line}: ${name}: not found\n`);
    return tested ? 127 : 0;
  }

  /** Lines of the source that was asked for last. */
  #sourceLines: { readonly text: string; readonly lines: readonly string[] } = { text: '', lines: [] };

  /** The current line of the script, trimmed. */
  #sourceLine(): string {
    const { text } = this.source;
    if (this.#sourceLines.text !== text) {
      this.budget.look(text.length);
      this.#sourceLines = { text, lines: text.split('\n') };
    }
    return this.#sourceLines.lines[this.line - 1]?.trim() ?? '';
  }

  /** The emulated program for a name or any path to it, unless a path outside PATHS is a shell script of the tree. */
  #known(name: string): ((call: Call, tested: boolean) => number) | undefined {
    if (!name.includes('/')) return this.#builtin(name) ?? this.world.commands.get(name);
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
    const dialect = dialectOf(text, this.world.sh);
    return this.child(path, args, options, (shell) => shell.runScript(text, { name: path, text }), dialect);
  }

  /** Runs `body` in a new shell over the same tree, for `sh` or a script of the tree. */
  child(
    name: string,
    args: readonly string[],
    options: string,
    body: (shell: Shell) => number,
    dialect: Dialect = this.dialect,
  ): number {
    return this.budget.deeper(() => {
      const { cwd, umask } = this.files;
      this.copied(16);
      const environment: [string, string][] = [];
      for (const [key, { value, exported }] of this.variables)
        if (exported && value !== undefined) environment.push([key, value]);
      const shell = new Shell(this.world, name, environment, dialect);
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

  capture(script: string, input?: string, prints = false): { status: number; output: string } {
    const out = new OutputStream(this.budget);
    const before = this.descriptors;
    this.descriptors = new Map(before);
    if (!prints) this.descriptors.set(1, out);
    if (input !== undefined) this.descriptors.set(0, textStream(input));
    try {
      const source = { ...this.source };
      const status = this.child(
        'sh',
        [],
        '',
        (shell) => shell.runText(script, source, false, this.line),
        this.world.sh,
      );
      return { status, output: out.text };
    } finally {
      this.descriptors = before;
    }
  }

  /** Path of a program found in PATH: one in the tree, or one that counts as present. */
  lookUp(name: string): string | undefined {
    if (name.includes('/')) {
      const inode = this.files.find(name);
      return inode !== undefined && inode.kind !== 'directory' && (inode.mode & 0o111) !== 0 ? name : undefined;
    }
    const folders = (this.get('PATH') ?? '').split(':');
    for (const folder of folders) {
      const path = `${folder === '' ? '.' : folder}/${name}`;
      const inode = this.files.find(path);
      if (inode?.kind === 'file' && (inode.mode & 0o111) !== 0) return path;
    }
    const searched = folders.some((folder) => PATHS.includes(folder));
    return searched && this.world.present.has(name) ? `/usr/bin/${name}` : undefined;
  }
}
