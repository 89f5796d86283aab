/** Where things are in the memory of {@link DEFLATE}; all in bytes. */
export const PLACE = {
  /** By hash, the last address with it; 0 for none. */
  heads: 0,
  /** By the low 15 bits of an address, how far back the last one with the same hash is; 0 for none. */
  chain: 131072,
  /** By length minus 3, the number of its symbol, counted from 257. */
  lengthSymbols: 196608,
  /** By distance minus 1 below 256, its symbol; from 256 on, by the distance divided by 128. */
  distanceSymbols: 196864,
  /** How often each of 286 symbols of literals and lengths stands in the block. */
  literalCounts: 197632,
  /** The same of 30 symbols of distances. */
  distanceCounts: 198784,
  /** Codes: the bits, and their number from bit 24 on. Of literals, the end of a block, and lengths by length. */
  literalCodes: 199168,
  lengthCodes: 200320,
  distanceCodes: 201344,
  /** By symbol of a distance: its smallest distance minus 1, and the number of further bits from bit 24 on. */
  distanceBases: 201472,
  /** The block: distance (0 for a literal), and in the upper half the literal or the length minus 3. */
  symbols: 204800,
  output: 237568,
  /** What comes before, then what is to be deflated, then 64 bytes that may be read. */
  input: 655360,
} as const;

/** Bytes that the output and the input have place for. */
export const OUTPUT_MAX = PLACE.input - PLACE.output - 64;

/** Distances that are searched: the window less what zlib keeps free in it. */
const REACH = 32768 - 262;

/** Address of the head for the four bytes at an address. */
const slot = (at: string) => `
  (i32.shl (i32.and (i32.shr_u (i32.add (i32.mul (i32.load ${at}) (i32.const 66521)) (i32.const 66521)) (i32.const 16))
    (i32.const 0x7fff)) (i32.const 2))`;

/** Address of the link of an address, but for the chain's own. */
const link = (at: string) => `(i32.shl (i32.and ${at} (i32.const 0x7fff)) (i32.const 1))`;

/** Enters $at into the table; $candidate becomes the last address with its hash. */
const ENTER = `
  (local.set $slot ${slot('(local.get $at)')})
  (local.set $candidate (i32.load (local.get $slot)))
  (local.set $back (i32.sub (local.get $at) (local.get $candidate)))
  (i32.store16 offset=${PLACE.chain} ${link('(local.get $at)')}
    (select (i32.const 0) (local.get $back) (i32.gt_u (local.get $back) (i32.const 65535))))
  (i32.store (local.get $slot) (local.get $at))`;

/** Adds to a variable. */
const add = (name: string, value: number) => `(local.set $${name} (i32.add (local.get $${name}) (i32.const ${value})))`;

/** Adds 1 to a counter of the block. */
const count = (table: number, symbol: string) => `
  (local.set $slot (i32.shl ${symbol} (i32.const 2)))
  (i32.store offset=${table} (local.get $slot)
    (i32.add (i32.load offset=${table} (local.get $slot)) (i32.const 1)))`;

/** Appends a symbol to the block. */
const append = (value: string) => `
  (i32.store offset=${PLACE.symbols} (i32.shl (local.get $count) (i32.const 2)) ${value})
  ${add('count', 1)}`;

/** Appends the literal at an address. */
const literal = (at: string) => `
  (local.set $symbol (i32.load8_u ${at}))
  ${count(PLACE.literalCounts, '(local.get $symbol)')}
  ${append('(i32.shl (local.get $symbol) (i32.const 16))')}`;

/** Appends a match of $distance and $symbol, its length minus 3. */
const MATCH = `
  ${count(PLACE.literalCounts, `(i32.add (i32.const 257) (i32.load8_u offset=${PLACE.lengthSymbols} (local.get $symbol)))`)}
  ${append('(i32.or (local.get $distance) (i32.shl (local.get $symbol) (i32.const 16)))')}
  ${add('distance', -1)}
  ${count(
    PLACE.distanceCounts,
    `(i32.load8_u offset=${PLACE.distanceSymbols} (if (result i32) (i32.lt_u (local.get $distance) (i32.const 256))
      (then (local.get $distance))
      (else (i32.add (i32.const 256) (i32.shr_u (local.get $distance) (i32.const 7))))))`,
  )}`;

/** True when a candidate may be tried: it is there, not the very first byte, and not too far away. */
const NEAR = `(i32.and
  (i32.gt_u (local.get $candidate) (i32.const ${PLACE.input}))
  (i32.le_u (i32.sub (local.get $at) (local.get $candidate))
    (i32.sub (i32.const ${REACH}) (i32.eq (local.get $at) (global.get $barred)))))`;

/** $ahead, $tail and $mask: bytes that a match longer than $best has too. */
const AHEAD = `
  (local.set $ahead (i32.sub (local.get $best) (i32.const 3)))
  (local.set $mask (i32.const -1))
  (if (i32.lt_s (local.get $ahead) (i32.const 0)) (then
    (local.set $ahead (i32.const 0))
    (local.set $mask (i32.const 0xffffff))))
  (local.set $tail (i32.load (i32.add (local.get $at) (local.get $ahead))))`;

/** Variables of both ways to find the symbols of a block. */
const LOCALS = `
  (local $at i32) (local $count i32) (local $slot i32) (local $candidate i32) (local $back i32) (local $symbol i32)
  (local $distance i32) (local $length i32) (local $stop i32)`;

/**
 * The inner part of {@link Deflater} in WebAssembly's text format: it finds the symbols of a block, and writes a block. It
 * decides as zlib with Chromium's hash does, and so as pako: hash chains, of the longest matches the nearest, lazily.
 */
export const DEFLATE = `
(module
  (memory (export "memory") 15)
  ;; limits of the level: of addresses that are tried; from which length on a quarter of them; up to which a better one is
  ;; looked for (or, without that, up to which all addresses of a match are entered); a length that is good enough
  (global $depth (export "depth") (mut i32) (i32.const 0))
  (global $good (export "good") (mut i32) (i32.const 0))
  (global $lazy (export "lazy") (mut i32) (i32.const 0))
  (global $nice (export "nice") (mut i32) (i32.const 0))
  ;; symbols of a full block
  (global $full (export "full") (mut i32) (i32.const 0))
  ;; an address from which ${REACH} bytes back are too far; 0 for none
  (global $barred (export "barred") (mut i32) (i32.const 0))
  ;; the first address that has no symbol yet
  (global $at (export "at") (mut i32) (i32.const 0))
  ;; the first address behind the block
  (global $edge (export "edge") (mut i32) (i32.const 0))
  ;; symbols of the block
  (global $count (export "count") (mut i32) (i32.const 0))
  ;; the match at the address before: its length, where the same bytes are; and whether that address has no symbol yet
  (global $length (export "length") (mut i32) (i32.const 2))
  (global $place (mut i32) (i32.const 0))
  (global $open (export "open") (mut i32) (i32.const 0))
  ;; the end of the output, and bits that do not fill a byte
  (global $out (export "out") (mut i32) (i32.const 0))
  (global $bits (mut i64) (i64.const 0))
  (global $held (export "held") (mut i32) (i32.const 0))

  ;; enters all addresses from $at to $end into the table
  (func $enter (export "enter") (param $at i32) (param $end i32)
    (local $slot i32) (local $candidate i32) (local $back i32)
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        ${ENTER}
        ${add('at', 1)}
        (br $each))))

  ;; the length of the longest match at $at, or $best when none is longer; $place becomes where it is
  (func $find (param $at i32) (param $candidate i32) (param $best i32) (param $left i32) (result i32)
    (local $tries i32) (local $nice i32) (local $limit i32) (local $end i32) (local $ahead i32) (local $tail i32)
    (local $mask i32) (local $to i32) (local $from i32) (local $back i32) (local $difference i64)
    (if (i32.ge_u (local.get $best) (local.get $left)) (then (return (local.get $left))))
    (local.set $tries (global.get $depth))
    (if (i32.ge_u (local.get $best) (global.get $good))
      (then (local.set $tries (i32.shr_u (local.get $tries) (i32.const 2)))))
    (local.set $nice (global.get $nice))
    (if (i32.gt_u (local.get $nice) (local.get $left)) (then (local.set $nice (local.get $left))))
    (local.set $limit (i32.sub (local.get $at) (i32.const ${REACH})))
    (if (i32.lt_u (local.get $limit) (i32.const ${PLACE.input})) (then (local.set $limit (i32.const ${PLACE.input}))))
    (local.set $end (i32.add (local.get $at)
      (select (local.get $left) (i32.const 258) (i32.lt_u (local.get $left) (i32.const 258)))))
    ${AHEAD}
    (block $none
      (loop $each
        (block $other
          (br_if $other (i32.and (local.get $mask) (i32.xor (local.get $tail)
            (i32.load (i32.add (local.get $candidate) (local.get $ahead))))))
          (local.set $to (local.get $at))
          (local.set $from (local.get $candidate))
          (block $differs
            (loop $words
              (local.set $difference (i64.xor (i64.load (local.get $to)) (i64.load (local.get $from))))
              (if (i32.eqz (i64.eqz (local.get $difference))) (then
                (local.set $to (i32.add (local.get $to)
                  (i32.shr_u (i32.wrap_i64 (i64.ctz (local.get $difference))) (i32.const 3))))
                (br $differs)))
              ${add('to', 8)}
              ${add('from', 8)}
              (br_if $words (i32.lt_u (local.get $to) (local.get $end)))))
          (if (i32.gt_u (local.get $to) (local.get $end)) (then (local.set $to (local.get $end))))
          (local.set $to (i32.sub (local.get $to) (local.get $at)))
          (br_if $other (i32.le_u (local.get $to) (local.get $best)))
          (local.set $best (local.get $to))
          (global.set $place (local.get $candidate))
          (br_if $none (i32.ge_u (local.get $best) (local.get $nice)))
          ${AHEAD})
        (local.set $back (i32.load16_u offset=${PLACE.chain} ${link('(local.get $candidate)')}))
        (br_if $none (i32.eqz (local.get $back)))
        (local.set $candidate (i32.sub (local.get $candidate) (local.get $back)))
        (br_if $none (i32.le_u (local.get $candidate) (local.get $limit)))
        ${add('tries', -1)}
        (br_if $each (local.get $tries))))
    (local.get $best))

  ;; finds symbols up to $end, or until the block is full, which is 1; a match waits for a longer one behind it
  (func $slow (export "slow") (param $end i32) (result i32)
    ${LOCALS} (local $former i32) (local $before i32)
    (local.set $at (global.get $at))
    (local.set $count (global.get $count))
    (local.set $length (global.get $length))
    (block $ended
      (block $filled
        (loop $next
          (br_if $ended (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $candidate (i32.const 0))
          (if (i32.ge_u (i32.sub (local.get $end) (local.get $at)) (i32.const 3)) (then ${ENTER}))
          (local.set $before (local.get $length))
          (local.set $former (global.get $place))
          (local.set $length (i32.const 2))
          (if (i32.lt_u (local.get $before) (global.get $lazy)) (then
            (if ${NEAR} (then
              (local.set $length (call $find
                (local.get $at) (local.get $candidate) (local.get $before) (i32.sub (local.get $end) (local.get $at))))
              ;; a short match far away takes more bits than its bytes
              (if (i32.eq (local.get $length) (i32.const 3)) (then
                (if (i32.gt_u (i32.sub (local.get $at) (global.get $place)) (i32.const 4096))
                  (then (local.set $length (i32.const 2))))))))))
          (if (i32.and (i32.ge_u (local.get $before) (i32.const 3)) (i32.le_u (local.get $length) (local.get $before)))
            (then
              (local.set $distance (i32.sub (i32.sub (local.get $at) (i32.const 1)) (local.get $former)))
              (local.set $symbol (i32.sub (local.get $before) (i32.const 3)))
              ${MATCH}
              (local.set $stop (i32.add (local.get $at) (i32.sub (local.get $before) (i32.const 1))))
              ${add('at', 1)}
              (call $enter (local.get $at) (select (local.get $stop) (i32.sub (local.get $end) (i32.const 2))
                (i32.lt_u (local.get $stop) (i32.sub (local.get $end) (i32.const 2)))))
              (local.set $at (local.get $stop))
              (global.set $edge (local.get $at))
              (global.set $open (i32.const 0))
              (local.set $length (i32.const 2))
              (br_if $filled (i32.eq (local.get $count) (global.get $full)))
              (br $next)))
          (if (global.get $open)
            (then
              ${literal('(i32.sub (local.get $at) (i32.const 1))')}
              (global.set $edge (local.get $at))
              ${add('at', 1)}
              (br_if $filled (i32.eq (local.get $count) (global.get $full))))
            (else
              (global.set $open (i32.const 1))
              ${add('at', 1)}))
          (br $next)))
      (global.set $at (local.get $at))
      (global.set $count (local.get $count))
      (global.set $length (local.get $length))
      (return (i32.const 1)))
    (if (global.get $open) (then
      ${literal('(i32.sub (local.get $at) (i32.const 1))')}
      (global.set $open (i32.const 0))))
    (global.set $at (local.get $at))
    (global.set $edge (local.get $at))
    (global.set $count (local.get $count))
    (i32.const 0))

  ;; the same, where each match is taken at once
  (func $fast (export "fast") (param $end i32) (result i32)
    ${LOCALS}
    (local.set $at (global.get $at))
    (local.set $count (global.get $count))
    (block $ended
      (block $filled
        (loop $next
          (br_if $ended (i32.ge_u (local.get $at) (local.get $end)))
          (local.set $candidate (i32.const 0))
          (if (i32.ge_u (i32.sub (local.get $end) (local.get $at)) (i32.const 3)) (then ${ENTER}))
          (local.set $length (i32.const 2))
          (if ${NEAR} (then
            (local.set $length (call $find
              (local.get $at) (local.get $candidate) (i32.const 2) (i32.sub (local.get $end) (local.get $at))))))
          (if (i32.ge_u (local.get $length) (i32.const 3))
            (then
              (local.set $distance (i32.sub (local.get $at) (global.get $place)))
              (local.set $symbol (i32.sub (local.get $length) (i32.const 3)))
              ${MATCH}
              (local.set $stop (i32.add (local.get $at) (local.get $length)))
              (if (i32.and
                (i32.le_u (local.get $length) (global.get $lazy))
                (i32.ge_u (i32.sub (local.get $end) (local.get $stop)) (i32.const 3)))
                (then (call $enter (i32.add (local.get $at) (i32.const 1)) (local.get $stop))))
              (local.set $at (local.get $stop)))
            (else
              ${literal('(local.get $at)')}
              ${add('at', 1)}))
          (br_if $filled (i32.eq (local.get $count) (global.get $full)))
          (br $next)))
      (global.set $at (local.get $at))
      (global.set $edge (local.get $at))
      (global.set $count (local.get $count))
      (return (i32.const 1)))
    (global.set $at (local.get $at))
    (global.set $edge (local.get $at))
    (global.set $count (local.get $count))
    (i32.const 0))

  ;; appends bits to the output, at most 32
  (func $put (export "put") (param $value i32) (param $number i32)
    (global.set $bits (i64.or (global.get $bits)
      (i64.shl (i64.extend_i32_u (local.get $value)) (i64.extend_i32_u (global.get $held)))))
    (global.set $held (i32.add (global.get $held) (local.get $number)))
    (i64.store (global.get $out) (global.get $bits))
    (global.set $out (i32.add (global.get $out) (i32.shr_u (global.get $held) (i32.const 3))))
    (global.set $bits (i64.shr_u (global.get $bits) (i64.extend_i32_u (i32.and (global.get $held) (i32.const 56)))))
    (global.set $held (i32.and (global.get $held) (i32.const 7))))

  ;; fills the last byte of the output with zeros
  (func $align (export "align")
    (if (global.get $held) (then
      (call $put (i32.const 0) (i32.sub (i32.const 8) (global.get $held))))))

  ;; appends the symbols of the block, by the codes in memory
  (func $write (export "write")
    (local $from i32) (local $end i32) (local $symbol i32) (local $distance i32) (local $code i32) (local $held i32)
    (local $out i32) (local $bits i64)
    (local.set $bits (global.get $bits))
    (local.set $held (global.get $held))
    (local.set $out (global.get $out))
    (local.set $from (i32.const ${PLACE.symbols}))
    (local.set $end (i32.add (local.get $from) (i32.shl (global.get $count) (i32.const 2))))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (local.set $symbol (i32.load (local.get $from)))
        ${add('from', 4)}
        (local.set $distance (i32.and (local.get $symbol) (i32.const 0xffff)))
        (local.set $symbol (i32.shl (i32.shr_u (local.get $symbol) (i32.const 16)) (i32.const 2)))
        (if (local.get $distance)
          (then
            (local.set $code (i32.load offset=${PLACE.lengthCodes} (local.get $symbol)))
            ${bits('(i32.and (local.get $code) (i32.const 0xffffff))', '(i32.shr_u (local.get $code) (i32.const 24))')}
            ${add('distance', -1)}
            (local.set $symbol (i32.shl (i32.load8_u offset=${PLACE.distanceSymbols}
              (if (result i32) (i32.lt_u (local.get $distance) (i32.const 256))
                (then (local.get $distance))
                (else (i32.add (i32.const 256) (i32.shr_u (local.get $distance) (i32.const 7)))))) (i32.const 2)))
            (local.set $code (i32.load offset=${PLACE.distanceCodes} (local.get $symbol)))
            ${bits('(i32.and (local.get $code) (i32.const 0xffffff))', '(i32.shr_u (local.get $code) (i32.const 24))')}
            (local.set $code (i32.load offset=${PLACE.distanceBases} (local.get $symbol)))
            ${bits('(i32.sub (local.get $distance) (i32.and (local.get $code) (i32.const 0xffffff)))', '(i32.shr_u (local.get $code) (i32.const 24))')})
          (else
            (local.set $code (i32.load offset=${PLACE.literalCodes} (local.get $symbol)))
            ${bits('(i32.and (local.get $code) (i32.const 0xffffff))', '(i32.shr_u (local.get $code) (i32.const 24))')}))
        ;; at most 7 + 20 + 15 + 13 bits
        (i64.store (local.get $out) (local.get $bits))
        (local.set $out (i32.add (local.get $out) (i32.shr_u (local.get $held) (i32.const 3))))
        (local.set $bits (i64.shr_u (local.get $bits) (i64.extend_i32_u (i32.and (local.get $held) (i32.const 56)))))
        (local.set $held (i32.and (local.get $held) (i32.const 7)))
        (br $each)))
    (global.set $bits (local.get $bits))
    (global.set $held (local.get $held))
    (global.set $out (local.get $out))))
`;

/** Appends bits to those that are held. */
function bits(value: string, number: string): string {
  return `
    (local.set $bits (i64.or (local.get $bits)
      (i64.shl (i64.extend_i32_u ${value}) (i64.extend_i32_u (local.get $held)))))
    (local.set $held (i32.add (local.get $held) ${number}))`;
}
