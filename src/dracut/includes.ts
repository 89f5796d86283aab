import { splitArguments } from './conf-file.ts';

/** Characters that a shell leaves as they are outside quotes. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Files and folders of the build host that dracut’s command line names with `--include SOURCE TARGET`, in order. */
export function includesIn(text: string): string[] {
  const found: string[] = [];
  renamed(text, (source) => {
    found.push(source);
    return source;
  });
  return found;
}

/** The command line with other names of what `--include` names; the text itself where it names nothing. */
export function withIncludes(text: string, nameOf: (source: string) => string): string {
  const args = renamed(text, nameOf);
  return args === undefined ? text : args.map(quoted).join(' ');
}

/** Throws `DRACUT_CONF_LINE`. */
function renamed(text: string, nameOf: (source: string) => string): string[] | undefined {
  const args = splitArguments(text, '`dracutOptions`');
  let changes = false;
  for (let i = 0; i < args.length; i++) {
    const [, flag, joined] = /^(--include|-i)(?:=(.*))?$/s.exec(args[i]!) ?? [];
    if (flag === undefined || (joined !== undefined && flag === '-i')) continue;
    if (joined !== undefined) args[i] = `${flag}=${nameOf(joined)}`;
    else {
      const source = args[++i];
      if (source !== undefined) args[i] = nameOf(source);
    }
    changes = true;
    // the target
    i++;
  }
  return changes ? args : undefined;
}

function quoted(arg: string): string {
  return PLAIN.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}
