import { BuildError } from '../../errors/error.ts';

/** The time of a snapshot in its archives' format, `20240101T000000Z`, from that format or an ISO date or date-time. */
export function snapshotTime(text: string): string {
  const match = /^(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2}):?(\d{2})(?::?(\d{2}))?(?:\.\d+)?(?:Z|\+00:?00)?)?$/i.exec(
    text.trim(),
  );
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((group) => Number(match?.[group] ?? 0));
  const seconds = Date.UTC(year!, month! - 1, day, hour, minute, second) / 1000;
  const stamp = Number.isNaN(seconds) ? '' : new Date(seconds * 1000).toISOString();
  // Date.UTC turns 31 February into a day in March
  const plain = stamp.replace(/[-:]|\.\d+/g, '');
  const digits = match?.slice(1, 7).map((part, i) => (part ?? '00').padStart(i === 0 ? 4 : 2, '0'));
  if (digits === undefined || plain !== `${digits.slice(0, 3).join('')}T${digits.slice(3).join('')}Z`) {
    const hint = 'write it as 20260131T000000Z or 2026-01-31';
    throw new BuildError('SNAPSHOT_TIME', { text }, { hint });
  }
  return plain;
}

/** Unix seconds of a snapshot's time. */
export function snapshotSeconds(text: string): number {
  const t = snapshotTime(text);
  return (
    Date.UTC(+t.slice(0, 4), +t.slice(4, 6) - 1, +t.slice(6, 8), +t.slice(9, 11), +t.slice(11, 13), +t.slice(13, 15)) /
    1000
  );
}

/**
 * The base URL of a distribution's archive at a given time. `archive` is its name there: `debian`,
 * `debian-security`, `debian-debug` (snapshot.debian.org), `ubuntu` (snapshot.ubuntu.com, which holds ports as well).
 */
export function snapshotArchive(archive: string, time: string): string {
  const stamp = snapshotTime(time);
  // Ubuntu's service uses one folder for the archive, its security suites and its ports
  if (archive.startsWith('ubuntu')) return `https://snapshot.ubuntu.com/ubuntu/${stamp}`;
  return `https://snapshot.debian.org/archive/${archive}/${stamp}`;
}
