import { flagOf, rowOf, SETTING_KEYS } from './table.ts';
import { UPSTREAM_VARIABLES } from './upstream.ts';

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
  const upstream = UPSTREAM_VARIABLES.map(
    ({ name, fatal, reason }) => `| \`${name}\` | ${fatal ? 'error' : 'warning'} | ${reason} |`,
  );
  return `# Settings

Each setting is a flag, an environment variable and a key of \`osbuilder.yaml\` (the flag without its dashes); they count in
that order. The file is \`osbuilder.yaml\` or \`osbuilder.yml\` in the current folder (both at once are an error), or the one
\`--config\` names; its JSON schema is [osbuilder.schema.json](osbuilder.schema.json). yes/no, true/false and 1/0 are all
accepted; \`--no-x\` turns \`--x\` off. Lists take several words at once, and a repeated flag adds to them. An empty
environment variable is not set. In the file a number that is a version keeps its spelling: \`os-version: 3.20\` is 3.20.

Files and folders that the file names are those beside it, or else those of the current folder.

The file may also name outputs: \`rootfs\`, \`initrd\`, \`image\`, \`output\` for commands that write one artefact, and
\`kernel\` for the kernel of \`kernel-package\`. Outputs on the command line replace them.

## Settings without effect

A setting that was given and cannot act is never ignored silently.

- **On the command line** it is an error (exit 2): it was typed for this very command. It is a warning for settings of an
  artefact that is not made now, and for settings that only limit or allow something (\`--cache-dir\`, \`--offline\`, \`--mirror-timeout\`, \`--jobs\`, \`--skip-rootfs-check\`).
- **In \`plan\` and \`why\`** settings of the build that they preview are only noted (\`--verbose\`, and \`notes\` in the JSON
  document), so that the words of a build can be tried with \`plan\`.
- **In the environment** it is a warning (\`SETTING_UNUSED\`), since the variable may be meant for this command.
- **In the file** it is a warning when something else that was given leaves it without effect, such as \`distro\` when an
  existing rootfs is packed. Settings of other commands and of artefacts that are not made now are only noted (\`--verbose\`,
  and \`notes\` in the JSON document): one file describes all artefacts of a project.

\`no\` in the environment or the file asks for nothing where that is the default. Settings that are not supported yet are
errors in every command. \`--strict\` makes these warnings errors, as all others.

This page is made from \`src/settings/table.ts\`; a test keeps them together.

${sections.join('\n')}
## Variables of Kata's osbuilder

\`IMAGE\` and \`INITRD_IMAGE\` name the output of \`osbuilder image\` and \`osbuilder initrd\` where no flag does. These have no
effect on a build:

| variable | if set | because |
|---|---|---|
${upstream.join('\n')}
`;
}
