const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAY = 86_400;

/** Parts of a moment in UTC, for any year that fits in a number. */
interface Moment {
  readonly seconds: number;
  readonly year: number;
  /** 0 to 11. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  /** 0 is the first of January. */
  readonly yearday: number;
}

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar; `month` from 0. */
export function daysBefore(year: number, month: number, day: number): number {
  const y = month < 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

function moment(seconds: number): Moment {
  const days = Math.floor(seconds / DAY);
  const rest = seconds - days * DAY;
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const ofEra = z - era * 146_097;
  const y = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * y + Math.floor(y / 4) - Math.floor(y / 100));
  const m = Math.floor((5 * ofYear + 2) / 153);
  const month = (m + 2) % 12;
  const year = y + era * 400 + (month < 2 ? 1 : 0);
  return {
    ...{ seconds, year, month, day: ofYear - Math.floor((153 * m + 2) / 5) + 1 },
    ...{ hour: Math.floor(rest / 3600), minute: Math.floor(rest / 60) % 60, second: rest % 60 },
    weekday: (((days + 4) % 7) + 7) % 7,
    yearday: days - daysBefore(year, 0, 1),
  };
}

/** Week and year of ISO 8601. */
function isoWeek({ year, weekday, yearday }: Moment): { year: number; week: number } {
  const day = (weekday + 6) % 7;
  const week = Math.floor((yearday - day + 10) / 7);
  const long = (y: number) => {
    const first = (((daysBefore(y, 0, 1) + 4) % 7) + 7) % 7;
    const leap = daysBefore(y + 1, 0, 1) - daysBefore(y, 0, 1) === 366;
    return first === 4 || (first === 3 && leap) ? 53 : 52;
  };
  if (week < 1) return { year: year - 1, week: long(year - 1) };
  return week > long(year) ? { year: year + 1, week: 1 } : { year, week };
}

/** Formats a moment in UTC as `date` does; undefined when the year does not fit. `nanoseconds` is for `%N`. */
export function strftime(format: string, seconds: number, nanoseconds = 0): string | undefined {
  if (!Number.isSafeInteger(seconds)) return undefined;
  const at = moment(seconds);
  const pad = (n: number, width: number, fill = '0') => ({ text: String(n), width, fill });
  const code = (letter: string): { text: string; width: number; fill: string } | string | undefined => {
    switch (letter) {
      case 'F':
        // GNU date marks years of more than four digits
        return `${at.year > 9999 ? '+' : ''}${strftime('%Y-%m-%d', seconds)!}`;
      case 'Y':
        return pad(at.year, 1);
      case 'C':
        return pad(Math.floor(at.year / 100), 2);
      case 'y':
        return pad(((at.year % 100) + 100) % 100, 2);
      case 'm':
        return pad(at.month + 1, 2);
      case 'd':
        return pad(at.day, 2);
      case 'e':
        return pad(at.day, 2, ' ');
      case 'H':
        return pad(at.hour, 2);
      case 'k':
        return pad(at.hour, 2, ' ');
      case 'I':
        return pad(at.hour % 12 || 12, 2);
      case 'l':
        return pad(at.hour % 12 || 12, 2, ' ');
      case 'M':
        return pad(at.minute, 2);
      case 'S':
        return pad(at.second, 2);
      case 'N':
        return pad(nanoseconds, 9);
      case 's':
        return pad(seconds, 1);
      case 'j':
        return pad(at.yearday + 1, 3);
      case 'u':
        return pad(at.weekday || 7, 1);
      case 'w':
        return pad(at.weekday, 1);
      case 'U':
        return pad(Math.floor((at.yearday + 7 - at.weekday) / 7), 2);
      case 'W':
        return pad(Math.floor((at.yearday + 7 - ((at.weekday + 6) % 7)) / 7), 2);
      case 'V':
        return pad(isoWeek(at).week, 2);
      case 'G':
        return pad(isoWeek(at).year, 1);
      case 'g':
        return pad(((isoWeek(at).year % 100) + 100) % 100, 2);
      case 'q':
        return pad(Math.floor(at.month / 3) + 1, 1);
      case 'a':
        return DAYS[at.weekday]!.slice(0, 3);
      case 'A':
        return DAYS[at.weekday]!;
      case 'b':
      case 'h':
        return MONTHS[at.month]!.slice(0, 3);
      case 'B':
        return MONTHS[at.month]!;
      case 'p':
        return at.hour < 12 ? 'AM' : 'PM';
      case 'P':
        return at.hour < 12 ? 'am' : 'pm';
      case 'Z':
        return 'UTC';
      case 'z':
        return '+0000';
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case '%':
        return '%';
      default:
        return COMPOUND[letter] === undefined ? undefined : strftime(COMPOUND[letter], seconds, nanoseconds);
    }
  };
  return format.replace(
    /%([-_0^#+]*)([0-9]*)(:{0,3})([a-zA-Z%])/g,
    (all, flags: string, width: string, colons: string, letter: string) => {
      if (colons !== '') return letter === 'z' ? ['', '+00:00', '+00:00:00', '+00'][colons.length]! : all;
      let made = code(letter);
      if (made === undefined) return all;
      const size = Math.min(Number(width || 0), 1000);
      if (typeof made === 'string') {
        if (flags.includes('^')) made = made.toUpperCase();
        if (flags.includes('#')) made = letter === 'p' || letter === 'Z' ? made.toLowerCase() : made.toUpperCase();
        return made.padStart(size, flags.includes('0') ? '0' : ' ');
      }
      // %3N is the first three digits
      if (letter === 'N') return made.text.padStart(9, '0').slice(0, size || 9);
      if (flags.includes('-')) return made.text;
      const fill = flags.includes('_') ? ' ' : flags.includes('0') ? '0' : made.fill;
      return made.text.padStart(size || made.width, fill);
    },
  );
}

const COMPOUND: Readonly<Record<string, string>> = {
  T: '%H:%M:%S',
  R: '%H:%M',
  D: '%m/%d/%y',
  c: '%a %b %e %H:%M:%S %Y',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
  r: '%I:%M:%S %p',
};
