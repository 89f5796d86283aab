/** What Kata removes from the rootfs of every distribution: documentation, locales and other unused files. */
export const TRIMMED: readonly string[] = [
  'bash-completion',
  'bug',
  'cracklib',
  'doc',
  'info',
  'lintian',
  'locale',
  'man',
  'menu',
  'misc',
  'pixmaps',
  'terminfo',
  'zsh',
].map((name) => `usr/share/${name}`);
