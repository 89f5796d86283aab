/** What Kata cuts from the rootfs of every distribution: documentation, locales, and other things nobody reads in a guest. */
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
