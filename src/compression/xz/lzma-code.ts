/** Bytes of input that one call can have, with those that are only looked at. */
export const INPUT_SIZE = (1 << 16) + 64;

/** Address of the input. */
export const INPUT = 64;

/** Address of the bit models, two bytes each; the window follows them. */
export const MODELS = INPUT + INPUT_SIZE;

// Where each group of bit models begins, in models. The literal coder comes last, since its size depends on lc + lp.
const IS_MATCH = 0; // 12 states x 16 positions
const IS_REP = 192;
const IS_REP0 = 204;
const IS_REP1 = 216;
const IS_REP2 = 228;
const IS_REP0_LONG = 240; // 12 states x 16 positions
const SLOT = 432; // 4 lengths x 64
const SPECIAL = 688; // distances of slots 4 to 13, addressed from base - slot
const ALIGN = 816; // 16
const MATCH_LENGTH = 832; // choice, choice 2, low 16 x 8, mid 16 x 8, high 256
const REP_LENGTH = MATCH_LENGTH + 514;
/** Models before the literal coder's. */
export const LITERAL = REP_LENGTH + 514;

/** The address of a group of models, as an offset of a load or store. */
const group = (first: number) => MODELS + 2 * first;

const get = (name: string) => `(local.get $${name})`;
const set = (name: string, value: string) => `(local.set $${name} ${value})`;
const num = (value: number) => `(i32.const ${value})`;
const op = (name: string, a: string, b: string) => `(i32.${name} ${a} ${b})`;
const add = (name: string, value: string) => set(name, op('add', get(name), value));
const double = (value: string) => op('shl', value, num(1));

/** Keeps at least 24 bits in $range. */
const NORMALIZE = `
  (if ${op('lt_u', get('range'), num(0x1000000))} (then
    ${set('range', op('shl', get('range'), num(8)))}
    ${set('code', op('or', op('shl', get('code'), num(8)), `(i32.load8_u ${get('at')})`))}
    ${add('at', num(1))}))`;

/** Loads the model at $p + offset, and how $range divides. */
const DIVIDE = (offset: number) => `
  ${set('prob', `(i32.load16_u offset=${offset} ${get('p')})`)}
  ${NORMALIZE}
  ${set('bound', op('mul', op('shr_u', get('range'), num(11)), get('prob')))}`;

/** One bit of the model at $p + offset, by a jump: for bits that the next steps depend on. */
const bit = (offset: number, zero: string, one: string) => `
  ${DIVIDE(offset)}
  (if ${op('lt_u', get('code'), get('bound'))}
    (then
      ${set('range', get('bound'))}
      (i32.store16 offset=${offset} ${get('p')}
        ${op('add', get('prob'), op('shr_u', op('sub', num(2048), get('prob')), num(5)))})
      ${zero})
    (else
      ${set('range', op('sub', get('range'), get('bound')))}
      ${set('code', op('sub', get('code'), get('bound')))}
      (i32.store16 offset=${offset} ${get('p')} ${op('sub', get('prob'), op('shr_u', get('prob'), num(5)))})
      ${one}))`;

/**
 * One bit of the model at $p + offset into $zero (1 for a 0), without a jump: half of the bits of a literal cannot be foretold, and
 * a wrong guess costs more than the longer way.
 */
const smooth = (offset: number) => `
  ${DIVIDE(offset)}
  ${set('zero', op('lt_u', get('code'), get('bound')))}
  ${set('range', `(select ${get('bound')} ${op('sub', get('range'), get('bound'))} ${get('zero')})`)}
  ${set('code', `(select ${get('code')} ${op('sub', get('code'), get('bound'))} ${get('zero')})`)}
  (i32.store16 offset=${offset} ${get('p')}
    ${op('add', get('prob'), op('shr_s', op('sub', `(select ${num(2048)} ${num(31)} ${get('zero')})`, get('prob')), num(5)))})`;

/** The next bit of a tree whose models begin at $base + offset, into $symbol. */
const branch = (offset: number) => `
  ${set('p', op('add', get('base'), double(get('symbol'))))}
  ${smooth(offset)}
  ${set('symbol', op('sub', op('add', double(get('symbol')), num(1)), get('zero')))}`;

const tree = (bits: number, offset: number) => `${set('symbol', num(1))}${branch(offset).repeat(bits)}`;

/** The next bit of a literal after a match: the byte at its distance, $guide, chooses the models while it agrees. */
const GUIDED = `
  ${set('guide', double(get('guide')))}
  ${set('side', op('and', get('guide'), get('agrees')))}
  ${set('p', op('add', get('base'), double(op('add', op('add', get('agrees'), get('side')), get('symbol')))))}
  ${smooth(group(LITERAL))}
  ${set('symbol', op('sub', op('add', double(get('symbol')), num(1)), get('zero')))}
  ${set('agrees', op('and', get('agrees'), op('xor', get('side'), op('sub', num(0), get('zero')))))}`;

/** The next bit of a number whose lowest bit comes first, into $rep0 at $place. */
const REVERSED = (offset: number) => `
  ${set('p', op('add', get('base'), double(get('symbol'))))}
  ${smooth(offset)}
  ${set('symbol', op('sub', op('add', double(get('symbol')), num(1)), get('zero')))}
  ${add('rep0', `(select ${num(0)} ${get('place')} ${get('zero')})`)}
  ${set('place', double(get('place')))}`;

const STATE = ['state', 'rep0', 'rep1', 'rep2', 'rep3', 'range', 'code', 'at', 'out'] as const;
const KEPT = [...STATE, 'start', 'dictionary', 'lc', 'literals', 'positions'] as const;

/**
 * The inner part of the LZMA decoder in WebAssembly's text format; facts from the LZMA specification in the public-domain
 * LZMA SDK (`lzma-specification.txt`). Its state is in globals, so that it does not depend on the machine's byte order.
 */
export const LZMA = `
(module
  (memory (export "memory") 3)
  ${KEPT.map((name) => `(global $${name} (export "${name}") (mut i32) (i32.const 0))`).join('\n  ')}

  ;; Decodes until $out reaches $end, or until the next symbol would begin after $last. A match may go beyond $end, not beyond
  ;; $limit. 0: at the end, 1: input is needed, 2: the end marker, 3: corrupt
  (func $decode (export "decode") (param $end i32) (param $limit i32) (param $last i32) (result i32)
    ${STATE.map((name) => `(local $${name} i32)`).join(' ')}
    (local $p i32) (local $prob i32) (local $bound i32) (local $zero i32) (local $base i32) (local $symbol i32)
    (local $guide i32) (local $side i32) (local $agrees i32) (local $place i32) (local $position i32) (local $length i32)
    (local $from i32) (local $stop i32) (local $simple i32) (local $bits i32) (local $known i32)
    ${STATE.map((name) => set(name, `(global.get $${name})`)).join('\n    ')}
    (block $done
      (loop $each
        (br_if $done ${op('ge_u', get('out'), get('end'))})
        (if ${op('gt_s', get('at'), get('last'))} (then ${set('stop', num(1))} (br $done)))
        ${set('position', op('and', op('sub', get('out'), '(global.get $start)'), '(global.get $positions)'))}
        ${set('p', double(op('add', op('shl', get('state'), num(4)), get('position'))))}
        (block $match
          ${bit(group(IS_MATCH), '', '(br $match)')}
          ;; a literal
          ${set(
            'base',
            op(
              'mul',
              num(0x600),
              op(
                'add',
                op(
                  'shl',
                  op('and', op('sub', get('out'), '(global.get $start)'), '(global.get $literals)'),
                  '(global.get $lc)',
                ),
                op(
                  'shr_u',
                  `(select (i32.load8_u ${op('sub', get('out'), num(1))}) ${num(0)} ${op('gt_s', get('out'), '(global.get $start)')})`,
                  op('sub', num(8), '(global.get $lc)'),
                ),
              ),
            ),
          )}
          (if ${op('lt_u', get('state'), num(7))}
            (then
              ${tree(8, group(LITERAL))}
              ${set('state', `(select ${num(0)} ${op('sub', get('state'), num(3))} ${op('lt_u', get('state'), num(4))})`)})
            (else
              ${set('guide', `(i32.load8_u ${op('sub', op('sub', get('out'), get('rep0')), num(1))})`)}
              ${set('agrees', num(0x100))}
              ${set('symbol', num(1))}
              ${GUIDED.repeat(8)}
              ${set('state', `(select ${op('sub', get('state'), num(3))} ${op('sub', get('state'), num(6))} ${op('lt_u', get('state'), num(10))})`)}))
          (i32.store8 ${get('out')} ${get('symbol')})
          ${add('out', num(1))}
          (br $each))

        ;; a match: simple, or at one of the last four distances
        ${set('simple', num(0))}
        ${set('base', num(0))}
        ${set('p', double(get('state')))}
        ${bit(
          group(IS_REP),
          `${set('simple', num(1))}
          ${set('rep3', get('rep2'))}
          ${set('rep2', get('rep1'))}
          ${set('rep1', get('rep0'))}
          ${set('state', `(select ${num(7)} ${num(10)} ${op('lt_u', get('state'), num(7))})`)}`,
          `${set('base', num(2 * (REP_LENGTH - MATCH_LENGTH)))}
          ${bit(
            group(IS_REP0),
            `${set('p', double(op('add', op('shl', get('state'), num(4)), get('position'))))}
            ${bit(
              group(IS_REP0_LONG),
              `;; one byte at the last distance
              ${set('known', op('sub', get('out'), '(global.get $start)'))}
              (if (i32.or ${op('ge_u', get('rep0'), get('known'))} ${op('ge_u', get('rep0'), '(global.get $dictionary)')})
                (then ${set('stop', num(3))} (br $done)))
              ${set('state', `(select ${num(9)} ${num(11)} ${op('lt_u', get('state'), num(7))})`)}
              (i32.store8 ${get('out')} (i32.load8_u ${op('sub', op('sub', get('out'), get('rep0')), num(1))}))
              ${add('out', num(1))}
              (br $each)`,
              '',
            )}`,
            `${bit(
              group(IS_REP1),
              set('from', get('rep1')),
              `${bit(
                group(IS_REP2),
                set('from', get('rep2')),
                `${set('from', get('rep3'))} ${set('rep3', get('rep2'))}`,
              )}
              ${set('rep2', get('rep1'))}`,
            )}
            ${set('rep1', get('rep0'))}
            ${set('rep0', get('from'))}`,
          )}
          ${set('state', `(select ${num(8)} ${num(11)} ${op('lt_u', get('state'), num(7))})`)}`,
        )}

        ;; the length, less 2: a tree of 8 or of 256 leaves
        ${set('p', get('base'))}
        ${bit(
          group(MATCH_LENGTH),
          `${add('base', op('shl', get('position'), num(4)))}
          ${tree(3, group(MATCH_LENGTH + 2))}
          ${set('length', op('sub', get('symbol'), num(8)))}`,
          bit(
            group(MATCH_LENGTH + 1),
            `${add('base', op('shl', get('position'), num(4)))}
            ${tree(3, group(MATCH_LENGTH + 130))}
            ${set('length', get('symbol'))}`,
            `${tree(8, group(MATCH_LENGTH + 258))}
            ${set('length', op('sub', get('symbol'), num(240)))}`,
          ),
        )}

        (if ${get('simple')} (then
          ${set('base', op('shl', `(select ${get('length')} ${num(3)} ${op('lt_u', get('length'), num(3))})`, num(7)))}
          ${tree(6, group(SLOT))}
          ${set('rep0', op('sub', get('symbol'), num(64)))}
          (if ${op('ge_u', get('rep0'), num(4))} (then
            ${set('symbol', get('rep0'))}
            ${set('bits', op('sub', op('shr_u', get('symbol'), num(1)), num(1)))}
            ${set('rep0', op('shl', op('or', num(2), op('and', get('symbol'), num(1))), get('bits')))}
            (if ${op('lt_u', get('symbol'), num(14))}
              (then
                ${set('base', double(op('sub', get('rep0'), get('symbol'))))}
                ${set('symbol', num(1))}
                ${set('place', num(1))}
                (loop $special
                  ${REVERSED(group(SPECIAL))}
                  ${add('bits', num(-1))}
                  (br_if $special ${get('bits')})))
              (else
                ;; the high bits have no models, the lowest four do
                ${set('place', num(0))}
                ${add('bits', num(-4))}
                (loop $direct
                  ${NORMALIZE}
                  ${set('range', op('shr_u', get('range'), num(1)))}
                  ${set('code', op('sub', get('code'), get('range')))}
                  ${set('bound', op('shr_s', get('code'), num(31)))}
                  ${add('code', op('and', get('range'), get('bound')))}
                  ${set('place', op('add', op('add', double(get('place')), get('bound')), num(1)))}
                  ${add('bits', num(-1))}
                  (br_if $direct ${get('bits')}))
                ${add('rep0', op('shl', get('place'), num(4)))}
                ${set('base', num(0))}
                ${set('symbol', num(1))}
                ${set('place', num(1))}
                ${REVERSED(group(ALIGN)).repeat(4)}
                (if ${op('eq', get('rep0'), num(-1))} (then ${set('stop', num(2))} (br $done)))))))))

        ${add('length', num(2))}
        ${set('known', op('sub', get('out'), '(global.get $start)'))}
        (if (i32.or
          (i32.or ${op('ge_u', get('rep0'), get('known'))} ${op('ge_u', get('rep0'), '(global.get $dictionary)')})
          ${op('gt_u', get('length'), op('sub', get('limit'), get('out')))})
          (then ${set('stop', num(3))} (br $done)))
        ${set('from', op('sub', op('sub', get('out'), get('rep0')), num(1)))}
        ${set('symbol', op('add', get('out'), get('length')))}
        (if ${op('ge_u', get('rep0'), num(7))}
          (then
            ;; eight bytes at once; up to seven bytes behind the match are overwritten
            (loop $words
              (i64.store ${get('out')} (i64.load ${get('from')}))
              ${add('out', num(8))}
              ${add('from', num(8))}
              (br_if $words ${op('lt_u', get('out'), get('symbol'))}))
            ${set('out', get('symbol'))})
          (else
            (loop $bytes
              (i32.store8 ${get('out')} (i32.load8_u ${get('from')}))
              ${add('out', num(1))}
              ${add('from', num(1))}
              (br_if $bytes ${op('lt_u', get('out'), get('symbol'))}))))
        (br $each)))
    ${STATE.map((name) => `(global.set $${name} ${get(name)})`).join('\n    ')}
    ${get('stop')}))`;
