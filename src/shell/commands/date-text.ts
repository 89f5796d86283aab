import { daysBefore } from '../strftime.ts';

/** A moment: Unix seconds and nanoseconds. */
export interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const UNITS: Readonly<Record<string, number>> = {
  ...{ sec: 1, second: 1, min: 60, minute: 60, hour: 3600, day: 86_400, week: 604_800, fortnight: 1_209_600 },
};
const ZONES: Readonly<Record<string, number>> = {
  utc: 0,
  gmt: 0,
  ut: 0,
  z: 0,
  est: -5,
  edt: -4,
  cst: -6,
  cdt: -5,
  mst: -7,
  mdt: -6,
  pst: -8,
  pdt: -7,
  cet: 1,
  bst: 1,
};

/** Fields that the text sets; the rest comes from the present time. */
interface Fields {
  year?: number;
  month?: number;
  day?: number;
  time?: number;
  nanoseconds?: number;
  zone?: number;
  weekday?: number;
  months: number;
  seconds: number;
}

const DATES: readonly (readonly [RegExp, (found: RegExpExecArray, fields: Fields) => boolean | undefined])[] = [
  [
    /^(\d{4,})-(\d{1,2})-(\d{1,2})(?=$|[\sT])/i,
    ([, y, m, d], fields) => void Object.assign(fields, { year: Number(y), month: Number(m), day: Number(d) }),
  ],
  [
    /^(\d{1,2})\/(\d{1,2})\/(\d{4}|\d{2})(?!\d)/,
    ([, m, d, y], fields) => void Object.assign(fields, { year: fullYear(y!), month: Number(m), day: Number(d) }),
  ],
  [
    /^(\d{4})(\d{2})(\d{2})(?!\d)/,
    ([, y, m, d], fields) => void Object.assign(fields, { year: Number(y), month: Number(m), day: Number(d) }),
  ],
  [
    /^(\d{1,2})[ -]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:[ ,-]*(\d{4})(?![:\d]))?/i,
    ([, d, m, y], fields) =>
      void Object.assign(fields, { ...(y ? { year: Number(y) } : {}), month: monthOf(m!), day: Number(d) }),
  ],
  [
    /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -]*(\d{1,2})(?![\d:])(?:(?:,| |-)\s*(\d{4})(?![:\d]))?/i,
    ([, m, d, y], fields) =>
      void Object.assign(fields, { ...(y ? { year: Number(y) } : {}), month: monthOf(m!), day: Number(d) }),
  ],
  [
    /^(\d{1,2})\s*(am|pm)\b/i,
    ([, h, half], fields) => {
      if (Number(h) < 1 || Number(h) > 12) return false;
      fields.time = ((Number(h) % 12) + (half!.toLowerCase() === 'pm' ? 12 : 0)) * 3600;
      return undefined;
    },
  ],
  [
    // a signed number behind a time is a zone, whatever follows: "12:00 -2 days" is 14:00 UTC and a day
    /^T?(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?:\s*(am|pm)\b|\s*([-+])\s*(\d{1,4})(?::(\d{2}))?(?!\d))?/i,
    ([, h, m, s, fraction, half, sign, zone, zoneMinutes], fields) => {
      const hour = half === undefined ? Number(h) : (Number(h) % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
      if (hour > 23 || Number(m) > 59 || Number(s ?? 0) > 60) return false;
      fields.time = hour * 3600 + Number(m) * 60 + Number(s ?? 0);
      fields.nanoseconds = Number((fraction ?? '').slice(0, 9).padEnd(9, '0'));
      if (zone === undefined) return undefined;
      const short = zone.length <= 2;
      if (!short && zoneMinutes !== undefined) return false;
      const hours = short ? Number(zone) : Math.floor(Number(zone) / 100);
      const minutes = hours * 60 + (short ? Number(zoneMinutes ?? 0) : Number(zone) % 100);
      if (minutes > 24 * 60) return false;
      fields.zone = minutes * (sign === '-' ? -60 : 60);
      return undefined;
    },
  ],
  [
    /^([-+])(\d{2}):?(\d{2})?(?![\d\sa-z]*[a-z])/i,
    ([, sign, h, m], fields) => {
      if (fields.time === undefined) return false;
      fields.zone = (Number(h) * 3600 + Number(m ?? 0) * 60) * (sign === '-' ? -1 : 1);
      return undefined;
    },
  ],
  [
    /^([-+]?\s*\d+|next|last|this|an?)?\s*(sec|second|min|minute|hour|day|week|fortnight|month|year)s?(?![a-z])(\s+ago)?/i,
    ([, count, unit, ago], fields) => {
      const words: Readonly<Record<string, number>> = { next: 1, last: -1, this: 0, a: 1, an: 1 };
      const n = count === undefined ? 1 : (words[count.toLowerCase()] ?? Number(count.replace(/\s/g, '')));
      const signed = ago === undefined ? n : -n;
      const name = unit!.toLowerCase();
      if (name === 'month') fields.months += signed;
      else if (name === 'year') fields.months += 12 * signed;
      else fields.seconds += signed * UNITS[name]!;
      return undefined;
    },
  ],
  [/^(yesterday|tomorrow|today|now|midnight)(?![a-z])/i, ([, word], fields) => special(word!.toLowerCase(), fields)],
  [
    /^(sun|mon|tue|wed|thu|fri|sat)[a-z]*[.,]?/i,
    ([, day], fields) => void Object.assign(fields, { weekday: DAYS.indexOf(day!.toLowerCase()) }),
  ],
  [
    /^(utc|gmt|ut|z|est|edt|cst|cdt|mst|mdt|pst|pdt|cet|bst)(?![a-z])/i,
    ([, zone], fields) => void Object.assign(fields, { zone: ZONES[zone!.toLowerCase()]! * 3600 }),
  ],
  [
    /^(\d{4})(?!\d)/,
    ([, y], fields) => (fields.month === undefined ? false : void Object.assign(fields, { year: Number(y) })),
  ],
];

function special(word: string, fields: Fields): undefined {
  if (word === 'yesterday') fields.seconds -= 86_400;
  if (word === 'tomorrow') fields.seconds += 86_400;
  if (word === 'midnight') fields.time = 0;
}

function fullYear(text: string): number {
  const year = Number(text);
  return text.length > 2 ? year : year < 69 ? 2000 + year : 1900 + year;
}

const monthOf = (name: string) => MONTHS.indexOf(name.toLowerCase()) + 1;

/** Reads a date as `date -d` and `touch -d` do, in UTC; undefined when it is not one. */
export function parseDate(text: string, now: number): Moment | undefined {
  const stamp = /^\s*@(-?\d{1,20})(?:\.(\d+))?\s*$/.exec(text);
  if (stamp !== null) {
    const seconds = Number(stamp[1]);
    if (!Number.isSafeInteger(seconds)) return undefined;
    return { seconds, nanoseconds: Number((stamp[2] ?? '').slice(0, 9).padEnd(9, '0')) };
  }
  const fields: Fields = { months: 0, seconds: 0 };
  let rest = text.trim();
  if (rest.length > 200) return undefined;
  if (rest === '') fields.time = 0;
  while (rest !== '') {
    let used = 0;
    for (const [pattern, apply] of DATES) {
      const found = pattern.exec(rest);
      if (found === null || apply(found, fields) === false) continue;
      used = found[0].length;
      break;
    }
    if (used === 0) return undefined;
    rest = rest.slice(used).replace(/^[\s,]+/, '');
  }
  return compose(fields, now);
}

function compose(fields: Fields, now: number): Moment | undefined {
  const today = new Date(now * 1000);
  const dated = fields.day !== undefined || fields.weekday !== undefined;
  let year = fields.year ?? today.getUTCFullYear();
  let month = (fields.month ?? today.getUTCMonth() + 1) - 1;
  const day = fields.day ?? today.getUTCDate();
  if (month < 0 || month > 11 || day < 1 || day > daysIn(year, month)) return undefined;
  const clock = now - Math.floor(now / 86_400) * 86_400;
  const time = fields.time ?? (dated ? 0 : clock);
  month += fields.months;
  year += Math.floor(month / 12);
  month = ((month % 12) + 12) % 12;
  let days = daysBefore(year, month, day);
  if (fields.weekday !== undefined && fields.day === undefined) days += (fields.weekday - ((days + 4) % 7) + 7) % 7;
  const seconds = days * 86_400 + time - (fields.zone ?? 0) + fields.seconds;
  return Number.isSafeInteger(seconds) ? { seconds, nanoseconds: fields.nanoseconds ?? 0 } : undefined;
}

const daysIn = (year: number, month: number) =>
  daysBefore(month === 11 ? year + 1 : year, (month + 1) % 12, 1) - daysBefore(year, month, 1);

/** Reads `[[CC]YY]MMDDhhmm[.ss]` of `touch -t`. */
export function parseStamp(text: string, now: number): Moment | undefined {
  const match = /^(\d{2}|\d{4})?(\d{2})(\d{2})(\d{2})(\d{2})(?:\.(\d{2}))?$/.exec(text);
  if (match === null) return undefined;
  const [, y, month, day, hour, minute, second = '0'] = match;
  const year = y === undefined ? new Date(now * 1000).getUTCFullYear() : fullYear(y);
  const m = Number(month) - 1;
  if (m < 0 || m > 11 || Number(day) < 1 || Number(day) > daysIn(year, m)) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  const seconds =
    daysBefore(year, m, Number(day)) * 86_400 + Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return { seconds, nanoseconds: 0 };
}
