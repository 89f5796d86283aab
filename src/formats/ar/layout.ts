import { struct, text } from '../../bytes/struct.ts';

/** First bytes of a common archive, as .deb files are. */
export const MAGIC = '!<arch>\n';
/** First bytes of a "thin" archive, whose members are elsewhere. */
export const THIN_MAGIC = '!<thin>\n';
/** Last bytes of each member's header. */
export const END = '`\n';
/** Members start at even offsets; an odd one is followed by this byte. */
export const PADDING = 0x0a;

/** Header of a member: text padded with blanks (ar(5); Debian's deb(5) has the same table). */
export const Header = struct('ar member header', 60, {
  name: text(16),
  mtime: text(12),
  uid: text(6),
  gid: text(6),
  mode: text(8), // octal, with the type bits
  size: text(10),
  end: text(2),
});
