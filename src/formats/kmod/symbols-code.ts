/** Places for a few of the names of one list, by hash: a power of two. Each has a list's number and a name's. */
const SEEN = 1 << 11;

/** Address of these places. */
const SEEN_AT = 16;

/** Address of what is put into the memory. */
export const INPUT = SEEN_AT + 8 * SEEN;

/** FNV-1a: its first value, and what each byte multiplies it with. */
const HASH_START = 0x811c9dc5 | 0;
const HASH_STEP = 0x01000193;

/** `.`: ppc64 has it before the names of functions. */
const DOT = 0x2e;

/** SPARC: a symbol of this type names a register and is not needed from anywhere. */
const STT_REGISTER = 13;

/** Address of a name's number in an array of 32-bit numbers. */
const of = (array: string, number: string) => `(i32.add (global.get ${array}) (i32.shl ${number} (i32.const 2)))`;

const begin = (number: string) =>
  `(i32.add (global.get $names) (i32.load offset=0 (i32.sub ${of('$ends', number)} (i32.const 4))))`;

/** The offset of a symbol's name among the strings. */
const NAME = `
  (local.set $name (i32.load (local.get $at)))
  (if (local.get $big) (then
    (local.set $name (i32.or
      (i32.or (i32.shl (i32.load8_u (local.get $at)) (i32.const 24)) (i32.shl (i32.load8_u offset=1 (local.get $at)) (i32.const 16)))
      (i32.or (i32.shl (i32.load8_u offset=2 (local.get $at)) (i32.const 8)) (i32.load8_u offset=3 (local.get $at)))))))
  (if (i32.ge_u (local.get $name) (local.get $size)) (then (return (i32.const 0))))`;

/** Sections that are of interest; `$section0` and so on is the number of each. */
export const SECTIONS = ['.modinfo', '.symtab', '.strtab', '__versions', '__ksymtab_strings'] as const;

/** Does `then` where the bytes at $at are a name with its NUL: compared by words, so a few bytes behind the names are read. */
const named = (name: string, then: string): string => {
  const bytes = Buffer.from(`${name}\0`, 'latin1');
  const tests: string[] = [];
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4)
    tests.push(`(i32.eq (i32.load offset=${at} (local.get $at)) (i32.const ${bytes.readInt32LE(at)}))`);
  for (; at < bytes.length; at++)
    tests.push(`(i32.eq (i32.load8_u offset=${at} (local.get $at)) (i32.const ${bytes[at]}))`);
  return tests.reduceRight((inner, test) => `(if ${test} (then ${inner}))`, then);
};

const GLOBALS = [
  'names',
  'used',
  'limit',
  'hashes',
  'ends',
  'count',
  'read',
  'most',
  'list',
  ...SECTIONS.map((_, i) => `section${i}`),
];

/**
 * Gathers the names in a module's tables of symbols, in WebAssembly: a kernel has more than a million symbols. For each name
 * there are its hash and where it ends among the names, with its NUL; before the first end there is a 0. A function returns the
 * address of what it could not add, for want of space below `$limit` or since more than `$most` bytes were read; and 0 where a
 * symbol has its name outside of the strings.
 */
export const SYMBOLS = `
(module
  (memory (export "memory") 1)
  ${GLOBALS.map((name) => `(global $${name} (export "${name}") (mut i32) (i32.const 0))`).join('\n  ')}

  ;; Finds sections by their names. Of two with one name the first counts.
  (func $sections (export "sections") (param $table i32) (param $count i32) (param $step i32) (param $names i32)
    (param $size i32) (param $big i32)
    (local $number i32) (local $name i32) (local $at i32)
    ${SECTIONS.map((_, i) => `(global.set $section${i} (i32.const 0))`).join('\n    ')}
    (local.set $at (local.get $table))
    (loop $each
      (local.set $number (i32.add (local.get $number) (i32.const 1)))
      (if (i32.lt_u (local.get $number) (local.get $count)) (then
        (local.set $table (i32.add (local.get $table) (local.get $step)))
        (local.set $at (local.get $table))
        (block $outside
          ${NAME.replace('(return (i32.const 0))', '(br $outside)')}
          (local.set $at (i32.add (local.get $names) (local.get $name)))
          ${SECTIONS.map((name, i) =>
            named(
              name,
              `(if (i32.eqz (global.get $section${i})) (then (global.set $section${i} (local.get $number))))`,
            ),
          ).join('\n          ')})
        (br $each)))))

  ;; Adds the name that begins there and ends at its NUL or at $end. An empty one is left out, and one that was seen before
  ;; if that is still known. 1: it could not be added
  (func $add (param $from i32) (param $end i32) (result i32)
    (local $begin i32) (local $at i32) (local $hash i32) (local $byte i32) (local $slot i32) (local $number i32) (local $other i32)
    (local.set $begin (global.get $used))
    (local.set $at (local.get $begin))
    (local.set $hash (i32.const ${HASH_START}))
    (block $ended
      (loop $each
        (br_if $ended (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $from)))
        (br_if $ended (i32.eqz (local.get $byte)))
        (if (i32.ge_u (i32.add (local.get $at) (i32.const 1)) (global.get $limit)) (then (return (i32.const 1))))
        (i32.store8 (local.get $at) (local.get $byte))
        (local.set $hash (i32.mul (i32.xor (local.get $hash) (local.get $byte)) (i32.const ${HASH_STEP})))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $each)))
    (if (i32.eq (local.get $at) (local.get $begin)) (then (return (i32.const 0))))
    (global.set $read (i32.add (global.get $read) (i32.sub (local.get $at) (local.get $begin))))
    (if (i32.gt_u (global.get $read) (global.get $most)) (then (return (i32.const 1))))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 15))))
    (local.set $slot (i32.shl (i32.and (local.get $hash) (i32.const ${SEEN - 1})) (i32.const 3)))
    (block $new
      (br_if $new (i32.ne (i32.load offset=${SEEN_AT} (local.get $slot)) (global.get $list)))
      (local.set $number (i32.load offset=${SEEN_AT + 4} (local.get $slot)))
      (br_if $new (i32.ne (i32.load ${of('$hashes', '(local.get $number)')}) (local.get $hash)))
      (local.set $other ${begin('(local.get $number)')})
      (local.set $number (i32.add (global.get $names) (i32.load ${of('$ends', '(local.get $number)')})))
      (br_if $new (i32.ne
        (i32.sub (i32.sub (local.get $number) (i32.const 1)) (local.get $other))
        (i32.sub (local.get $at) (local.get $begin))))
      (local.set $from (local.get $begin))
      (loop $same
        (br_if $new (i32.ne (i32.load8_u (local.get $from)) (i32.load8_u (local.get $other))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $other (i32.add (local.get $other) (i32.const 1)))
        (br_if $same (i32.lt_u (local.get $from) (local.get $at))))
      (return (i32.const 0)))
    (i32.store8 (local.get $at) (i32.const 0))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (global.set $used (local.get $at))
    (i32.store offset=${SEEN_AT} (local.get $slot) (global.get $list))
    (i32.store offset=${SEEN_AT + 4} (local.get $slot) (global.get $count))
    (i32.store ${of('$hashes', '(global.get $count)')} (local.get $hash))
    (i32.store ${of('$ends', '(global.get $count)')} (i32.sub (local.get $at) (global.get $names)))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.const 0))

  ;; Names of symbols that are not defined, from the one at $at on
  (func $needed (export "needed") (param $at i32) (param $end i32) (param $step i32) (param $section i32) (param $kind i32)
    (param $strings i32) (param $size i32) (param $big i32) (result i32)
    (local $name i32)
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (block $next
          ;; SHN_UNDEF, in either byte order
          (br_if $next (i32.load16_u (i32.add (local.get $at) (local.get $section))))
          (if (local.get $kind) (then
            (br_if $next (i32.eq
              (i32.and (i32.load8_u (i32.add (local.get $at) (local.get $kind))) (i32.const 15))
              (i32.const ${STT_REGISTER})))))
          ${NAME}
          (local.set $name (i32.add (local.get $strings) (local.get $name)))
          (if (i32.eq (i32.load8_u (local.get $name)) (i32.const ${DOT})) (then
            (local.set $name (i32.add (local.get $name) (i32.const 1)))))
          (br_if $done (call $add (local.get $name) (i32.add (local.get $strings) (local.get $size)))))
        (local.set $at (i32.add (local.get $at) (local.get $step)))
        (br $each)))
    (local.get $at))

  ;; NAME of symbols __crc_NAME, from the one at $at on
  (func $exported (export "exported") (param $at i32) (param $end i32) (param $step i32)
    (param $strings i32) (param $size i32) (param $big i32) (result i32)
    (local $name i32) (local $stop i32)
    (local.set $stop (i32.add (local.get $strings) (local.get $size)))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (block $next
          ${NAME}
          (local.set $name (i32.add (local.get $strings) (local.get $name)))
          (br_if $next (i32.ne (i32.load (local.get $name)) (i32.const 0x72635f5f)))
          (br_if $next (i32.ne (i32.load16_u offset=4 (local.get $name)) (i32.const 0x5f63)))
          (br_if $done (call $add (i32.add (local.get $name) (i32.const 6)) (local.get $stop))))
        (local.set $at (i32.add (local.get $at) (local.get $step)))
        (br $each)))
    (local.get $at))

  ;; Names in records of 64 bytes, behind $skip others
  (func $versions (export "versions") (param $at i32) (param $end i32) (param $skip i32) (result i32)
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (br_if $done (call $add
          (i32.add (local.get $at) (local.get $skip))
          (i32.add (local.get $at) (i32.const 64))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $each)))
    (local.get $at))

  ;; Names one after the other, each ended by NUL
  (func $listed (export "listed") (param $at i32) (param $end i32) (result i32)
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (br_if $done (call $add (local.get $at) (local.get $end)))
        (block $ended
          (loop $byte
            (br_if $ended (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $byte (i32.load8_u (i32.sub (local.get $at) (i32.const 1))))))
        (br $each)))
    (local.get $at)))`;
