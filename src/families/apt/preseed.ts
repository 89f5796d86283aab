import { BuildError } from '../../errors/error.ts';
import type { Host } from '../../fetch/host.ts';
import type { Settings } from '../../settings/table.ts';
import { readPreseed } from './configure/debconf.ts';

/** Answers to packages' questions: debconf-set-selections(1). Later files and later lines take precedence. */
export function preseedOf(settings: Settings, host: Host): ReadonlyMap<string, string> {
  const answers = new Map<string, string>();
  for (const path of settings.preseed ?? []) {
    const text = Buffer.from(host.readFile(path)).toString('latin1');
    const reject = (value: string, line: number): never => {
      throw new BuildError('SETTING_INVALID', {
        ...{ source: `${path}:${line}`, value, reason: 'a line has the form OWNER QUESTION TYPE VALUE' },
      });
    };
    for (const [name, value] of readPreseed(text, reject)) answers.set(name, value);
  }
  return answers;
}
