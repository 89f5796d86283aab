import { array, at, raw, struct, text, u8, u16be, u32be } from '../../bytes/struct.ts';

/**
 * The lead: 96 bytes that nothing depends on any more except the magic (rpm: docs/manual/format_lead.md).
 *
 *     lead | signature header | zeros to a multiple of 8 | main header | payload
 */
export const Lead = struct('rpm lead', 96, {
  magic: array(4, u8), // ed ab ee db
  major: at(4, u8), // 3 in packages of version 4, 4 in those of version 6
  minor: u8,
  type: at(6, u16be), // 0 binary, 1 source
  archnum: u16be,
  name: at(10, text(66)),
  osnum: at(76, u16be),
  signatureType: at(78, u16be), // 5: a header
  reserved: raw(16),
});

/** Head of a header: its magic, then how many entries and how many bytes of data follow. */
export const HeaderHead = struct('rpm header', 16, {
  magic: array(8, u8), // 8e ad e8 01 00 00 00 00
  entries: at(8, u32be), // il
  data: at(12, u32be), // dl
});

/** One entry of a header. */
export const HeaderEntry = struct('rpm header entry', 16, {
  tag: u32be,
  type: at(4, u32be),
  offset: at(8, u32be), // into the data
  count: at(12, u32be),
});

/** First bytes of an rpm package. */
export const LEAD_MAGIC = [0xed, 0xab, 0xee, 0xdb];
/** First bytes of a header. */
export const HEADER_MAGIC = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/** Most entries of a header (rpm: HEADER_TAGS_MAX). */
export const ENTRIES_MAX = 65_535;
/** Most bytes of a header's data (rpm: HEADER_DATA_MAX). */
export const DATA_MAX = 256 << 20;

/** Types of entries. */
export const CHAR = 1;
export const INT8 = 2;
export const INT16 = 3;
export const INT32 = 4;
export const INT64 = 5;
export const STRING = 6;
export const BIN = 7;
export const STRING_ARRAY = 8;
export const I18N = 9;

/** Bytes of one value, and its alignment in the data; 0 for text. */
export const TYPE_SIZE: readonly number[] = [0, 1, 1, 2, 4, 8, 0, 1, 0, 0];

/** The entry that makes the entries before its trailer immutable: of the signature header, and of the main header. */
export const REGION_SIGNATURE = 62;
export const REGION_MAIN = 63;

/** Tags of the signature header (rpm: include/rpm/rpmtag.h, RPMSIGTAG_…). */
export const SIGNATURE = {
  dsa: 267, // also ECDSA and EdDSA, over the main header
  rsa: 268,
  sha1: 269,
  longSize: 270,
  longArchiveSize: 271,
  sha256: 273,
  fileSignatures: 274,
  openpgp: 278, // base64, several
  sha3: 279,
  size: 1000,
  pgp: 1002, // over main header and payload
  md5: 1004,
  gpg: 1005,
  archiveSize: 1007,
  reserved: 1008,
} as const;

/** Tags of the main header (RPMTAG_…) that are used here. */
export const TAG = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  summary: 1004,
  buildTime: 1006,
  size: 1009,
  vendor: 1011,
  licence: 1014,
  packager: 1015,
  url: 1020,
  group: 1016,
  arch: 1022,
  preIn: 1023,
  postIn: 1024,
  oldFileNames: 1027,
  fileSizes: 1028,
  fileModes: 1030,
  fileRdevs: 1033,
  fileMtimes: 1034,
  fileDigests: 1035,
  fileLinkTos: 1036,
  fileFlags: 1037,
  fileUserName: 1039,
  fileGroupName: 1040,
  sourceRpm: 1044,
  archiveSize: 1046,
  provideName: 1047,
  requireFlags: 1048,
  requireName: 1049,
  requireVersion: 1050,
  conflictFlags: 1053,
  conflictName: 1054,
  conflictVersion: 1055,
  rpmVersion: 1064,
  triggerScripts: 1065,
  triggerName: 1066,
  triggerVersion: 1067,
  triggerFlags: 1068,
  triggerIndex: 1069,
  preInProg: 1085,
  postInProg: 1086,
  obsoleteName: 1090,
  triggerScriptProg: 1092,
  fileDevices: 1095,
  fileInodes: 1096,
  fileLangs: 1097,
  sourcePackage: 1106,
  provideFlags: 1112,
  provideVersion: 1113,
  obsoleteFlags: 1114,
  obsoleteVersion: 1115,
  dirIndexes: 1116,
  prefixes: 1098,
  baseNames: 1117,
  dirNames: 1118,
  payloadFormat: 1124,
  payloadCompressor: 1125,
  fileColors: 1140,
  preTrans: 1151,
  postTrans: 1152,
  preTransProg: 1153,
  postTransProg: 1154,
  longFileSizes: 5008,
  longSize: 5009,
  fileCaps: 5010,
  fileDigestAlgo: 5011,
  preInFlags: 5020,
  postInFlags: 5021,
  preTransFlags: 5024,
  postTransFlags: 5025,
  triggerScriptFlags: 5027,
  orderName: 5035,
  orderVersion: 5036,
  orderFlags: 5037,
  recommendName: 5046,
  recommendVersion: 5047,
  recommendFlags: 5048,
  suggestName: 5049,
  suggestVersion: 5050,
  suggestFlags: 5051,
  supplementName: 5052,
  supplementVersion: 5053,
  supplementFlags: 5054,
  enhanceName: 5055,
  enhanceVersion: 5056,
  enhanceFlags: 5057,
  fileTriggerScripts: 5066,
  fileTriggerProg: 5067,
  fileTriggerFlags: 5068,
  fileTriggerName: 5069,
  fileTriggerIndex: 5070,
  fileTriggerVersion: 5071,
  fileTriggerSense: 5072,
  transFileTriggerScripts: 5076,
  transFileTriggerProg: 5077,
  transFileTriggerFlags: 5078,
  transFileTriggerName: 5079,
  transFileTriggerIndex: 5080,
  transFileTriggerVersion: 5081,
  transFileTriggerSense: 5082,
  fileTriggerPriorities: 5084,
  transFileTriggerPriorities: 5085,
  payloadSha256: 5092, // of the payload as stored
  payloadDigestAlgo: 5093,
  modularityLabel: 5096,
  plainPayloadSha256: 5097, // of the decompressed payload
  payloadSize: 5112,
  plainPayloadSize: 5113,
  rpmFormat: 5114,
  payloadSha512: 5121,
  plainPayloadSha512: 5122,
  payloadSha3: 5123,
  plainPayloadSha3: 5124,
} as const;

/** Digest algorithms by their OpenPGP number; tags name them so. */
export const DIGESTS: Readonly<Record<number, string>> = {
  1: 'md5',
  2: 'sha1',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
  12: 'sha3-256',
  14: 'sha3-512',
};
