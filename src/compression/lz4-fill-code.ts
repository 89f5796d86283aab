/** Address of the head for the four bytes at an address. */
const slot = (at: string) =>
  `(i32.and (i32.shr_u (i32.mul (i32.load ${at}) (i32.const -1640531535)) (i32.const 15)) (i32.const 0x1fffc))`;

/** Address of the link of an address in the chain, but for the chain's own. */
const link = (at: string) => `(i32.shl (i32.and ${at} (i32.const 0xffff)) (i32.const 1))`;

/** Enters $at, whose head is at $slot and holds $candidate, into the table. */
const ENTER = `
  (local.set $back (i32.sub (local.get $at) (local.get $candidate)))
  (i32.store16 offset=131072 ${link('(local.get $at)')}
    (select (i32.const 0) (local.get $back) (i32.gt_u (local.get $back) (i32.const 65535))))
  (i32.store (local.get $slot) (local.get $at))`;

/** $tail: the four bytes, $ahead of $at, that a match longer than $best has too, wherever it begins. */
const AHEAD = `
  (local.set $ahead (i32.sub (i32.sub (local.get $best) (i32.sub (local.get $at) (local.get $low))) (i32.const 3)))
  (if (i32.lt_s (local.get $ahead) (i32.const 0)) (then (local.set $ahead (i32.const 0))))
  (local.set $tail (i32.load (i32.add (local.get $at) (local.get $ahead))))`;

/** Adds to a variable. */
const add = (name: string, value: number) => `(local.set $${name} (i32.add (local.get $${name}) (i32.const ${value})))`;

/**
 * The inner part of {@link FillEncoder} in WebAssembly's text format: it compares eight bytes at once, which JavaScript
 * cannot. What is needed in hot loops is put in their place, since engines do not do that. All places are addresses in
 * its memory:
 *
 *     0         heads: by hash, the last address with it; 0 for none          131072 bytes
 *     131072    chain: by the low 16 bits of an address, how far back the last one with the same hash is; 0 for none
 *     262144    the output                                                    1 MiB and 64 bytes that may be overwritten
 *     1310784   the input, and 64 bytes that may be read behind it
 *
 * A match is the address of its first byte ($start), the address of the same bytes before ($place), and its length.
 */
export const LZ4_FILL = `
(module
  (memory (export "memory") 32)
  ;; the first address that is not in the table
  (global $next (mut i32) (i32.const 0))
  ;; earlier addresses that are tried for a match
  (global $depth (export "depth") (mut i32) (i32.const 256))
  (global $start (mut i32) (i32.const 0))
  (global $place (mut i32) (i32.const 0))
  ;; bytes that the last call of fill wrote
  (global $produced (export "produced") (mut i32) (i32.const 0))

  ;; enters all addresses before $end into the table
  (func $enter (param $end i32)
    (local $at i32) (local $slot i32) (local $candidate i32) (local $back i32)
    (local.set $at (global.get $next))
    (if (i32.ge_s (local.get $at) (local.get $end)) (then (return)))
    (loop $each
      (local.set $slot ${slot('(local.get $at)')})
      (local.set $candidate (i32.load (local.get $slot)))
      ${ENTER}
      ${add('at', 1)}
      (br_if $each (i32.lt_s (local.get $at) (local.get $end))))
    (global.set $next (local.get $end)))

  ;; the length of the longest match that covers $at, begins at $low or later and is longer than $best; else $best;
  ;; $candidate is the first address to try
  (func $find
    (param $at i32) (param $candidate i32) (param $low i32) (param $best i32) (param $floor i32) (param $limit i32)
    (result i32)
    (local $tries i32) (local $step i32) (local $word i32) (local $nearest i32) (local $ahead i32) (local $tail i32)
    (local $begin i32) (local $from i32) (local $end i32) (local $difference i64)
    (local.set $nearest (i32.sub (local.get $at) (i32.const 65535)))
    (if (i32.gt_s (local.get $floor) (local.get $nearest)) (then (local.set $nearest (local.get $floor))))
    (local.set $word (i32.load (local.get $at)))
    (local.set $tries (global.get $depth))
    ${AHEAD}
    (block $none
      (loop $each
        (br_if $none (i32.lt_s (local.get $candidate) (local.get $nearest)))
        (block $other
          (br_if $other (i32.ne
            (i32.load (i32.add (local.get $candidate) (local.get $ahead))) (local.get $tail)))
          (br_if $other (i32.ne (i32.load (local.get $candidate)) (local.get $word)))
          ;; where it ends
          (local.set $end (i32.add (local.get $at) (i32.const 4)))
          (local.set $from (i32.add (local.get $candidate) (i32.const 4)))
          (block $differs
            (block $bytes
              (loop $words
                (br_if $bytes (i32.gt_s (i32.add (local.get $end) (i32.const 8)) (local.get $limit)))
                (local.set $difference (i64.xor (i64.load (local.get $end)) (i64.load (local.get $from))))
                (if (i32.eqz (i64.eqz (local.get $difference))) (then
                  (local.set $end (i32.add (local.get $end)
                    (i32.shr_u (i32.wrap_i64 (i64.ctz (local.get $difference))) (i32.const 3))))
                  (br $differs)))
                ${add('end', 8)}
                ${add('from', 8)}
                (br $words)))
            (loop $each
              (br_if $differs (i32.ge_s (local.get $end) (local.get $limit)))
              (br_if $differs (i32.ne (i32.load8_u (local.get $end)) (i32.load8_u (local.get $from))))
              ${add('end', 1)}
              ${add('from', 1)}
              (br $each)))
          ;; where it begins
          (local.set $begin (local.get $at))
          (local.set $from (local.get $candidate))
          (block $first
            (loop $back
              (br_if $first (i32.le_s (local.get $begin) (local.get $low)))
              (br_if $first (i32.le_s (local.get $from) (local.get $floor)))
              (br_if $first (i32.ne
                (i32.load8_u (i32.sub (local.get $begin) (i32.const 1)))
                (i32.load8_u (i32.sub (local.get $from) (i32.const 1)))))
              ${add('begin', -1)}
              ${add('from', -1)}
              (br $back)))
          (br_if $other (i32.le_s (i32.sub (local.get $end) (local.get $begin)) (local.get $best)))
          (local.set $best (i32.sub (local.get $end) (local.get $begin)))
          (global.set $start (local.get $begin))
          (global.set $place (local.get $from))
          (br_if $none (i32.ge_s (local.get $end) (local.get $limit)))
          ${AHEAD})
        (local.set $tries (i32.sub (local.get $tries) (i32.const 1)))
        (br_if $none (i32.eqz (local.get $tries)))
        (local.set $step (i32.load16_u offset=131072 ${link('(local.get $candidate)')}))
        (local.set $candidate (i32.sub (local.get $candidate) (local.get $step)))
        (br_if $each (local.get $step))))
    (local.get $best))

  ;; the last address before $at with the hash of $at; $candidate is what its head holds
  (func $before (param $at i32) (param $candidate i32) (result i32)
    (local $step i32)
    (block $none
      (br_if $none (i32.ge_s (local.get $candidate) (global.get $next)))
      (loop $each
        (if (i32.lt_s (local.get $candidate) (local.get $at)) (then (return (local.get $candidate))))
        (local.set $step (i32.load16_u offset=131072 ${link('(local.get $candidate)')}))
        (local.set $candidate (i32.sub (local.get $candidate) (local.get $step)))
        (br_if $each (local.get $step))))
    (i32.const 0))

  ;; the length of a match that covers $probe and is longer than $best; 0 if there is none
  (func $longer
    (param $probe i32) (param $low i32) (param $best i32) (param $floor i32) (param $last i32) (param $limit i32)
    (result i32)
    (local $length i32)
    (if (i32.gt_s (local.get $probe) (local.get $last)) (then (return (i32.const 0))))
    (call $enter (local.get $probe))
    (local.set $length (call $find
      (local.get $probe) (call $before (local.get $probe) (i32.load ${slot('(local.get $probe)')}))
      (local.get $low) (local.get $best) (local.get $floor) (local.get $limit)))
    (select (local.get $length) (i32.const 0) (i32.gt_s (local.get $length) (local.get $best))))

  (func $least (param $a i32) (param $b i32) (result i32)
    (select (local.get $a) (local.get $b) (i32.lt_s (local.get $a) (local.get $b))))

  ;; bytes that follow a token for a count: none below 15, then one for each 255
  (func $extra (param $count i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $count) (i32.const 15))
      (then (i32.const 0))
      (else (i32.add (i32.const 1) (i32.div_u (i32.sub (local.get $count) (i32.const 15)) (i32.const 255))))))

  ;; the part of a match that fits when its sequence takes $before bytes without further length bytes, and the last
  ;; sequence of literals must follow; 0 when none does
  (func $fit (param $before i32) (param $length i32) (param $capacity i32) (result i32)
    (local $over i32)
    (block $none
      (loop $shorter
        (br_if $none (i32.lt_s (local.get $length) (i32.const 4)))
        ;; 1 + max(5, 12 - length) bytes end a block
        (local.set $over (i32.sub
          (i32.add
            (i32.add (local.get $before) (call $extra (i32.sub (local.get $length) (i32.const 4))))
            (i32.sub (i32.const 13) (call $least (local.get $length) (i32.const 7))))
          (local.get $capacity)))
        (if (i32.le_s (local.get $over) (i32.const 0)) (then (return (local.get $length))))
        ;; a match of fewer than 19 bytes does not get cheaper
        (br_if $none (i32.lt_s (local.get $length) (i32.const 19)))
        (local.set $length (i32.sub (local.get $length) (i32.mul (local.get $over) (i32.const 255))))
        (if (i32.lt_s (local.get $length) (i32.const 18)) (then (local.set $length (i32.const 18))))
        (br $shorter)))
    (i32.const 0))

  ;; writes the bytes that follow a token for a count of 15 and $value more; returns the address behind them
  (func $lengthBytes (param $to i32) (param $value i32) (result i32)
    (block $last
      (loop $each
        (br_if $last (i32.lt_s (local.get $value) (i32.const 255)))
        (i32.store8 (local.get $to) (i32.const 255))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (local.set $value (i32.sub (local.get $value) (i32.const 255)))
        (br $each)))
    (i32.store8 (local.get $to) (local.get $value))
    (i32.add (local.get $to) (i32.const 1)))

  ;; writes a token with the low bits $code, and the literals from $anchor on; returns the address behind them
  (func $literals (param $to i32) (param $anchor i32) (param $count i32) (param $code i32) (result i32)
    (local $done i32)
    (i32.store8 (local.get $to) (i32.or
      (i32.shl (call $least (local.get $count) (i32.const 15)) (i32.const 4))
      (call $least (local.get $code) (i32.const 15))))
    (local.set $to (i32.add (local.get $to) (i32.const 1)))
    (if (i32.ge_s (local.get $count) (i32.const 15)) (then
      (local.set $to (call $lengthBytes (local.get $to) (i32.sub (local.get $count) (i32.const 15))))))
    (if (i32.gt_s (local.get $count) (i32.const 64))
      (then (memory.copy (local.get $to) (local.get $anchor) (local.get $count)))
      (else
        ;; eight at once, with up to seven too many
        (block $end
          (loop $words
            (br_if $end (i32.ge_s (local.get $done) (local.get $count)))
            (i64.store (i32.add (local.get $to) (local.get $done))
              (i64.load (i32.add (local.get $anchor) (local.get $done))))
            (local.set $done (i32.add (local.get $done) (i32.const 8)))
            (br $words)))))
    (i32.add (local.get $to) (local.get $count)))

  ;; encodes input from $from on, at most to $end: as much as fits into $capacity bytes; returns the input's length
  (func $fill (export "fill") (param $from i32) (param $end i32) (param $capacity i32) (result i32)
    (local $last i32) (local $limit i32) (local $to i32) (local $anchor i32) (local $stop i32)
    (local $at i32) (local $length i32) (local $place i32)
    (local $at2 i32) (local $length2 i32) (local $place2 i32)
    (local $slot i32) (local $candidate i32) (local $back i32) (local $room i32)
    (local $length3 i32) (local $kept i32) (local $moved i32) (local $literals i32) (local $fitting i32)
    ;; blocks before may have entered more: what is not yet here is overwritten, or is recognised as being ahead
    (global.set $next (local.get $from))
    (local.set $last (i32.sub (local.get $end) (i32.const 12)))
    (local.set $limit (i32.sub (local.get $end) (i32.const 5)))
    (local.set $to (i32.const 262144))
    (local.set $stop (i32.add (local.get $to) (local.get $capacity)))
    (local.set $room (i32.sub (local.get $stop) (i32.const 1)))
    (local.set $anchor (local.get $from))
    (local.set $at (local.get $from))
    (block $done
      (loop $next
        (if (i32.eqz (local.get $length)) (then
          (block $found
            (loop $literal
              ;; literals alone fill the rest
              (br_if $done (i32.gt_s (local.get $at) (local.get $last)))
              (local.set $literals (i32.sub (local.get $at) (local.get $anchor)))
              (br_if $done (i32.ge_s (i32.add (local.get $to) (local.get $literals)) (local.get $room)))
              (if (i32.ge_s (local.get $literals) (i32.const 15)) (then
                (br_if $done (i32.ge_s
                  (i32.add (local.get $to) (i32.add (local.get $literals) (call $extra (local.get $literals))))
                  (local.get $room)))))
              ;; what the table has of it, and then itself
              (local.set $slot ${slot('(local.get $at)')})
              (local.set $candidate (i32.load (local.get $slot)))
              (if (i32.eq (global.get $next) (local.get $at))
                (then
                  ${ENTER}
                  (global.set $next (i32.add (local.get $at) (i32.const 1)))
                  (if (i32.ge_s (local.get $candidate) (local.get $at)) (then (local.set $candidate (i32.const 0)))))
                (else
                  (call $enter (local.get $at))
                  (local.set $candidate (call $before (local.get $at) (i32.load (local.get $slot))))))
              (if (i32.ge_s (local.get $candidate) (local.get $from)) (then
                (local.set $length (call $find
                  (local.get $at) (local.get $candidate) (local.get $anchor) (i32.const 3)
                  (local.get $from) (local.get $limit)))
                (br_if $found (i32.ge_s (local.get $length) (i32.const 4)))))
              ${add('at', 1)}
              (br $literal)))
          (local.set $at (global.get $start))
          (local.set $place (global.get $place))))
        ;; a longer match may begin inside this one, and a still longer one inside that
        (local.set $length2 (call $longer
          (i32.sub (i32.add (local.get $at) (local.get $length)) (i32.const 2))
          (i32.add (local.get $at) (i32.const 1))
          (local.get $length) (local.get $from) (local.get $last) (local.get $limit)))
        (if (local.get $length2) (then
          (local.set $at2 (global.get $start))
          (local.set $place2 (global.get $place))
          (if (i32.lt_s (i32.sub (local.get $at2) (local.get $at)) (i32.const 3)) (then
            (local.set $at (local.get $at2))
            (local.set $length (local.get $length2))
            (local.set $place (local.get $place2))
            (br $next)))
          (local.set $length3 (call $longer
            (i32.sub (i32.add (local.get $at2) (local.get $length2)) (i32.const 2))
            (local.get $at2) (local.get $length2) (local.get $from) (local.get $last) (local.get $limit)))
          (if (local.get $length3) (then
            (if (i32.lt_s (global.get $start)
                (i32.add (i32.add (local.get $at) (local.get $length)) (i32.const 3))) (then
              ;; the second has no room between its neighbours
              (local.set $at2 (global.get $start))
              (local.set $length2 (local.get $length3))
              (local.set $place2 (global.get $place))
              (if (i32.lt_s (i32.sub (local.get $at2) (local.get $at)) (i32.const 4)) (then
                (local.set $at (local.get $at2))
                (local.set $length (local.get $length2))
                (local.set $place (local.get $place2))
                (br $next)))))))
          (if (i32.lt_s (local.get $at2) (i32.add (local.get $at) (local.get $length))) (then
            ;; up to 18 bytes a match costs no further byte
            (local.set $kept (call $least
              (call $least (local.get $length) (i32.const 18))
              (i32.sub (i32.sub (i32.add (local.get $at2) (local.get $length2)) (i32.const 4)) (local.get $at))))
            (local.set $moved (i32.sub (local.get $kept) (i32.sub (local.get $at2) (local.get $at))))
            (if (i32.lt_s (local.get $moved) (i32.const 0)) (then (local.set $moved (i32.const 0))))
            (local.set $length (i32.add (i32.sub (local.get $at2) (local.get $at)) (local.get $moved)))
            (local.set $at2 (i32.add (local.get $at2) (local.get $moved)))
            (local.set $length2 (i32.sub (local.get $length2) (local.get $moved)))
            (local.set $place2 (i32.add (local.get $place2) (local.get $moved)))
            (if (i32.gt_s (local.get $at2) (local.get $last)) (then (local.set $length2 (i32.const 0))))
            (if (i32.lt_s (local.get $length) (i32.const 4)) (then
              (br_if $done (i32.eqz (local.get $length2)))
              (local.set $at (local.get $at2))
              (local.set $length (local.get $length2))
              (local.set $place (local.get $place2))
              (br $next)))))))
        (local.set $literals (i32.sub (local.get $at) (local.get $anchor)))
        (local.set $fitting (call $fit
          (i32.add (i32.add (local.get $to) (i32.const 3))
            (i32.add (local.get $literals) (call $extra (local.get $literals))))
          (local.get $length) (local.get $stop)))
        (br_if $done (i32.eqz (local.get $fitting)))
        (local.set $to (call $literals
          (local.get $to) (local.get $anchor) (local.get $literals) (i32.sub (local.get $fitting) (i32.const 4))))
        (i32.store16 (local.get $to) (i32.sub (local.get $at) (local.get $place)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))
        (if (i32.ge_s (local.get $fitting) (i32.const 19)) (then
          (local.set $to (call $lengthBytes (local.get $to) (i32.sub (local.get $fitting) (i32.const 19))))))
        (local.set $anchor (i32.add (local.get $at) (local.get $fitting)))
        (local.set $at (local.get $anchor))
        (br_if $done (i32.lt_s (local.get $fitting) (local.get $length)))
        (local.set $length (local.get $length2))
        (if (local.get $length2) (then
          (local.set $at (local.get $at2))
          (local.set $place (local.get $place2))))
        (br $next)))
    ;; what is left for literals
    (local.set $kept (i32.sub (i32.sub (local.get $stop) (local.get $to)) (i32.const 1)))
    (local.set $literals (call $least (i32.sub (local.get $end) (local.get $anchor)) (local.get $kept)))
    (block $whole
      (loop $fewer
        (br_if $whole (i32.le_s (local.get $literals) (i32.const 0)))
        (br_if $whole
          (i32.le_s (i32.add (local.get $literals) (call $extra (local.get $literals))) (local.get $kept)))
        (local.set $literals (i32.sub (local.get $literals) (i32.const 1)))
        (br $fewer)))
    (global.set $produced (i32.sub
      (call $literals (local.get $to) (local.get $anchor) (local.get $literals) (i32.const 0))
      (i32.const 262144)))
    (i32.sub (i32.add (local.get $anchor) (local.get $literals)) (local.get $from)))
)
`;
