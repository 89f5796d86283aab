import { i32, raw, struct, text, u8, u32, u64 } from '../../bytes/struct.ts';

/** /etc/ld.so.cache as glibc 2.32 and later write it: sysdeps/generic/dl-cache.h of glibc names the fields. */

/** Head of the whole file. */
export const CacheHeader = struct('ld.so.cache header', 48, {
  magic: text(20), // glibc-ld.so.cache1.1
  nlibs: u32,
  stringsSize: u32, // len_strings
  flags: u8, // low two bits: byte order
  padding: raw(3),
  extensionOffset: u32,
  unused: raw(12),
});

export const MAGIC = 'glibc-ld.so.cache1.1';
/** The previous format, still written in front of the new one by `ldconfig -c compat`. */
export const OLD_MAGIC = 'ld.so-1.7.0';
export const FLAG_LITTLE_ENDIAN = 2;
export const FLAG_BIG_ENDIAN = 3;

/** One library. Names are offsets from the start of the file. */
export const CacheEntry = struct('ld.so.cache entry', 24, {
  flags: i32,
  key: u32,
  value: u32,
  osversion: u32,
  hwcap: u64,
});

/** Head of the extension area and its one section, the generator's name. */
export const CacheExtension = struct('ld.so.cache extension', 24, {
  magic: u32,
  count: u32,
  tag: u32, // cache_extension_tag_generator
  flags: u32,
  offset: u32,
  size: u32,
});

export const EXTENSION_MAGIC = 0xeaa42174;
/** Head of an entry of the old format, and its entries: flags, key, value, without hwcap. */
export const OLD_HEADER = 16;
export const OLD_ENTRY = 12;
