import { struct, text, u8, u16be, u32be } from '../../bytes/struct.ts';

/** The file format of SQLite 3 (sqlite.org/fileformat.html), as far as a file needs it that is written once. */

/** Bytes of a page. */
export const PAGE = 4096;

/** The page that holds the lock byte of SQLite, at 1 GiB, is never used. Pages count from 1. */
export const LOCK_PAGE = 2 ** 30 / PAGE + 1;

/** The first bytes of page 1. */
export const DatabaseHead = struct('head of an SQLite database', 100, {
  magic: text(16),
  pageSize: u16be,
  /** 1: with a rollback journal. */
  writeVersion: u8,
  readVersion: u8,
  reserved: u8,
  maxFraction: u8,
  minFraction: u8,
  leafFraction: u8,
  changes: u32be,
  pages: u32be,
  freeTrunk: u32be,
  free: u32be,
  schemaCookie: u32be,
  /** 4: whole numbers 0 and 1 take no bytes. */
  schemaFormat: u32be,
  cacheSize: u32be,
  vacuumRoot: u32be,
  /** 1: UTF-8. */
  encoding: u32be,
  userVersion: u32be,
  incremental: u32be,
  application: u32be,
  unused: text(20),
  validFor: u32be,
  libraryVersion: u32be,
});

export const MAGIC = 'SQLite format 3\0';

/** Kinds of pages of trees by their first byte. */
export const PAGE_KIND = { indexInner: 2, tableInner: 5, indexLeaf: 10, tableLeaf: 13 } as const;

/** Bytes before the list of cells: inner pages have the number of their last child there too. */
export const LEAF_HEAD = 8;
export const INNER_HEAD = 12;

/** Bytes of a record that stay in its page: of one in a table's leaf, and of one in an index; the others go to pages of their own. */
export const TABLE_LOCAL = PAGE - 35;
export const INDEX_LOCAL = Math.floor(((PAGE - 12) * 64) / 255) - 23;
/** Fewest bytes that stay of a record that does not fit. */
export const LEAST_LOCAL = Math.floor(((PAGE - 12) * 32) / 255) - 23;
/** Bytes of a record in a page of its own, behind the number of the next one. */
export const OVERFLOW = PAGE - 4;
