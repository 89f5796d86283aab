/** Bytes of a node: its way from its parent, the way's length, first child, next sibling, its entries. */
export const NODE = 20;

/** Address of the first thing that is put into the memory; 0 is no address. */
export const FIRST = 8;

const way = (node: string) => `(i32.load (local.get ${node}))`;
const length = (node: string) => `(i32.load offset=4 (local.get ${node}))`;
const child = (node: string) => `(i32.load offset=8 (local.get ${node}))`;
const sibling = (node: string) => `(i32.load offset=12 (local.get ${node}))`;
const entries = (node: string) => `(i32.load offset=16 (local.get ${node}))`;

/** Number `entry`, which counts from 1, of an array. */
const numbered = (array: string, entry: string) =>
  `(i32.add (global.get ${array}) (i32.shl (local.get ${entry}) (i32.const 2)))`;

/** Where the value of an entry begins, as the address of that number; the next one is where it ends. */
const VALUE = `(i32.add (global.get $valueStarts) (i32.shl (i32.load ${numbered('$valueIds', '$entry')}) (i32.const 2)))`;

/** Stores a number with its highest byte first. */
const big = (at: string, value: string) => `
  (i32.store8 ${at} (i32.shr_u ${value} (i32.const 24)))
  (i32.store8 offset=1 ${at} (i32.shr_u ${value} (i32.const 16)))
  (i32.store8 offset=2 ${at} (i32.shr_u ${value} (i32.const 8)))
  (i32.store8 offset=3 ${at} ${value})`;

const GLOBALS = ['root', 'free', 'starts', 'valueIds', 'valueStarts', 'priorities', 'earlier', 'several', 'out', 'end'];

/**
 * The trie of an index, in WebAssembly: a kernel has tens of thousands of keys, and such code is fast from its first run on.
 * Entries count from 1; for each there are its number among the values, its priority, and the entry with the same key that
 * comes before it in `earlier`. Addresses are absolute. A node's way are bytes of a key, the first of which tells it from
 * its siblings, which are sorted by it.
 */
export const INDEX = `
(module
  (memory (export "memory") 1)
  ${GLOBALS.map((name) => `(global $${name} (export "${name}") (mut i32) (i32.const 0))`).join('\n  ')}

  (func $node (param $way i32) (param $length i32) (param $sibling i32) (result i32)
    (local $node i32)
    (local.set $node (global.get $free))
    (i32.store (local.get $node) (local.get $way))
    (i32.store offset=4 (local.get $node) (local.get $length))
    (i32.store offset=12 (local.get $node) (local.get $sibling))
    (global.set $free (i32.add (local.get $node) (i32.const ${NODE})))
    (local.get $node))

  ;; Adds the entries 1 to $count. Nodes with several are listed at $several, which is moved behind the list.
  (func $build (export "build") (param $count i32)
    (local $entry i32) (local $at i32) (local $end i32) (local $node i32) (local $byte i32) (local $link i32)
    (local $child i32) (local $way i32) (local $length i32) (local $shared i32)
    (block $all
      (loop $each
        (br_if $all (i32.ge_u (local.get $entry) (local.get $count)))
        (local.set $at (i32.load ${numbered('$starts', '$entry')}))
        (local.set $entry (i32.add (local.get $entry) (i32.const 1)))
        (local.set $end (i32.sub (i32.load ${numbered('$starts', '$entry')}) (i32.const 1)))
        (local.set $node (global.get $root))
        (block $there
          (loop $down
            (br_if $there (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $byte (i32.load8_u (local.get $at)))
            ;; the place with the address of the child
            (local.set $link (i32.add (local.get $node) (i32.const 8)))
            (block $found
              (loop $next
                (local.set $child (i32.load (local.get $link)))
                (br_if $found (i32.eqz (local.get $child)))
                (br_if $found (i32.ge_u (i32.load8_u ${way('$child')}) (local.get $byte)))
                (local.set $link (i32.add (local.get $child) (i32.const 12)))
                (br $next)))
            (if (if (result i32) (local.get $child)
                  (then (i32.ne (i32.load8_u ${way('$child')}) (local.get $byte)))
                  (else (i32.const 1)))
              (then
                (local.set $node (call $node (local.get $at) (i32.sub (local.get $end) (local.get $at)) (local.get $child)))
                (i32.store (local.get $link) (local.get $node))
                (br $there)))
            (local.set $way ${way('$child')})
            (local.set $length ${length('$child')})
            (local.set $shared (i32.const 1))
            (block $differs
              (loop $same
                (br_if $differs (i32.ge_u (local.get $shared) (local.get $length)))
                (br_if $differs (i32.ne
                  (i32.load8_u (i32.add (local.get $way) (local.get $shared)))
                  (i32.load8_u (i32.add (local.get $at) (local.get $shared)))))
                (local.set $shared (i32.add (local.get $shared) (i32.const 1)))
                (br $same)))
            (local.set $node (local.get $child))
            (if (i32.lt_u (local.get $shared) (local.get $length)) (then
              (local.set $node (call $node (local.get $way) (local.get $shared) ${sibling('$child')}))
              (i32.store offset=8 (local.get $node) (local.get $child))
              (i32.store (local.get $child) (i32.add (local.get $way) (local.get $shared)))
              (i32.store offset=4 (local.get $child) (i32.sub (local.get $length) (local.get $shared)))
              (i32.store offset=12 (local.get $child) (i32.const 0))
              (i32.store (local.get $link) (local.get $node))))
            (local.set $at (i32.add (local.get $at) (local.get $shared)))
            (br $down)))
        (local.set $child ${entries('$node')})
        (i32.store ${numbered('$earlier', '$entry')} (local.get $child))
        (i32.store offset=16 (local.get $node) (local.get $entry))
        (if (local.get $child) (then
          (if (i32.eqz (i32.load ${numbered('$earlier', '$child')})) (then
            (i32.store (global.get $several) (local.get $node))
            (global.set $several (i32.add (global.get $several) (i32.const 4)))))))
        (br $each))))

  ;; The bytes of a node in the index
  (func $size (param $node i32) (result i32)
    (local $size i32) (local $child i32) (local $first i32) (local $last i32) (local $entry i32)
    (local.set $size ${length('$node')})
    ;; the first byte of its way is in its parent, and a NUL ends the rest
    (if (i32.eq (local.get $size) (i32.const 1)) (then (local.set $size (i32.const 0))))
    (local.set $child ${child('$node')})
    (if (local.get $child) (then
      (local.set $first (i32.load8_u ${way('$child')}))
      (loop $next
        (local.set $last (i32.load8_u ${way('$child')}))
        (local.set $child ${sibling('$child')})
        (br_if $next (local.get $child)))
      (local.set $size (i32.add (i32.add (local.get $size) (i32.const 6))
        (i32.shl (i32.sub (local.get $last) (local.get $first)) (i32.const 2))))))
    (local.set $entry ${entries('$node')})
    (if (local.get $entry) (then
      (local.set $size (i32.add (local.get $size) (i32.const 4)))
      (loop $each
        (local.set $size (i32.add (i32.add (local.get $size) (i32.const 4))
          (i32.sub (i32.load offset=4 ${VALUE}) (i32.load ${VALUE}))))
        (local.set $entry (i32.load ${numbered('$earlier', '$entry')}))
        (br_if $each (local.get $entry)))))
    (local.get $size))

  ;; The bytes of all nodes; more than $most when they have more than that
  (func $measure (export "measure") (param $most i32) (result i32)
    (local $node i32) (local $size i32)
    (local.set $node (global.get $root))
    (loop $each
      (local.set $size (i32.add (local.get $size) (call $size (local.get $node))))
      (local.set $node (i32.add (local.get $node) (i32.const ${NODE})))
      (br_if $each (i32.and (i32.lt_u (local.get $node) (global.get $free)) (i32.le_u (local.get $size) (local.get $most)))))
    (local.get $size))

  (func $reserve (param $size i32) (result i32)
    (global.set $end (i32.add (global.get $end) (local.get $size)))
    (i32.sub (global.get $end) (local.get $size)))

  ;; Writes a node and all below it to $end. Returns its offset from $out with its flags, as its parent has them.
  (func $write (export "write") (param $node i32) (param $parentsFirst i32) (result i32)
    (local $at i32) (local $pointer i32) (local $child i32) (local $first i32) (local $last i32) (local $place i32)
    (local $entry i32) (local $count i32) (local $size i32)
    (if (local.get $parentsFirst) (then (local.set $at (call $reserve (call $size (local.get $node))))))
    (local.set $child ${child('$node')})
    (block $none
      (loop $each
        (br_if $none (i32.eqz (local.get $child)))
        ;; its length is of no use any more
        (i32.store offset=4 (local.get $child) (call $write (local.get $child) (local.get $parentsFirst)))
        (local.set $child ${sibling('$child')})
        (br $each)))
    (if (i32.eqz (local.get $parentsFirst)) (then (local.set $at (call $reserve (call $size (local.get $node))))))
    (local.set $pointer (i32.sub (local.get $at) (global.get $out)))
    (local.set $size ${length('$node')})
    (if (i32.gt_u (local.get $size) (i32.const 1)) (then
      (local.set $pointer (i32.or (local.get $pointer) (i32.const 0x80000000)))
      (memory.copy (local.get $at) (i32.add ${way('$node')} (i32.const 1)) (i32.sub (local.get $size) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (local.get $size)))
      (i32.store8 (i32.sub (local.get $at) (i32.const 1)) (i32.const 0))))
    (local.set $child ${child('$node')})
    (if (local.get $child) (then
      (local.set $pointer (i32.or (local.get $pointer) (i32.const 0x20000000)))
      (local.set $first (i32.load8_u ${way('$child')}))
      (i32.store8 (local.get $at) (local.get $first))
      (local.set $place (i32.sub (i32.add (local.get $at) (i32.const 2)) (i32.shl (local.get $first) (i32.const 2))))
      (loop $next
        (local.set $last (i32.load8_u ${way('$child')}))
        (local.set $count (i32.add (local.get $place) (i32.shl (local.get $last) (i32.const 2))))
        (local.set $size ${length('$child')})
        ${big('(local.get $count)', '(local.get $size)')}
        (local.set $child ${sibling('$child')})
        (br_if $next (local.get $child)))
      (i32.store8 offset=1 (local.get $at) (local.get $last))
      (local.set $at (i32.add (local.get $count) (i32.const 4)))))
    (local.set $entry ${entries('$node')})
    (if (local.get $entry) (then
      (local.set $pointer (i32.or (local.get $pointer) (i32.const 0x40000000)))
      (local.set $place (local.get $at))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (local.set $count (i32.const 0))
      (loop $each
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $size (i32.load ${numbered('$priorities', '$entry')}))
        ${big('(local.get $at)', '(local.get $size)')}
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $first (i32.load ${VALUE}))
        (local.set $size (i32.sub (i32.load offset=4 ${VALUE}) (local.get $first)))
        (memory.copy (local.get $at) (local.get $first) (local.get $size))
        (local.set $at (i32.add (local.get $at) (local.get $size)))
        (local.set $entry (i32.load ${numbered('$earlier', '$entry')}))
        (br_if $each (local.get $entry)))
      ${big('(local.get $place)', '(local.get $count)')}))
    (local.get $pointer)))`;
