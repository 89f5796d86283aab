import { flagOf, rowOf, SETTING_KEYS } from './table.ts';

/** The reference page of all settings, in Markdown: docs/settings.md. */
export function settingsPage(): string {
  const groups = new Map<string, string[]>();
  for (const key of SETTING_KEYS) {
    const row = rowOf(key);
    const flag = flagOf(key);
    const shown = row.kind.placeholder === '' ? `--${flag}` : `--${flag} ${row.kind.placeholder}`;
    const fallback =
      row.fallback === undefined || row.fallback === ''
        ? ''
        : row.fallback === true
          ? 'yes'
          : row.fallback === false
            ? 'no'
            : String(row.fallback);
    const cells = [
      `\`${shown.replaceAll('|', '\\|')}\``,
      row.environment.map((name) => `\`${name}\``).join(', '),
      fallback,
      row.description.replaceAll('|', '\\|'),
    ];
    const list = groups.get(row.group) ?? [];
    list.push(`| ${cells.join(' | ')} |`);
    groups.set(row.group, list);
  }
  const sections = [...groups].map(
    ([group, rows]) =>
      `## ${group}\n\n| flag | environment | default | meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`,
  );
  return `# Settings

Each setting is a flag, an environment variable and a key of \`osbuilder.yaml\` (the flag without its dashes); they count in
that order. The file is \`osbuilder.yaml\` in the current folder, or the one \`--config\` names; its JSON schema is
[osbuilder.schema.json](osbuilder.schema.json). yes/no, true/false and 1/0 are all understood; \`--no-x\` turns \`--x\` off.
Lists take several words at once, and a repeated flag adds to them. An empty environment variable says nothing.

This page is made from \`src/settings/table.ts\`; a test keeps them together.

${sections.join('\n')}`;
}
