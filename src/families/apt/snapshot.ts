import type { ProfileRepository } from '../../distros/profile.ts';
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

/** The base URL of a repository at a given time. Throws `SNAPSHOT_TIME`, and `SETTING_CONFLICT` where there is none. */
export function snapshotArchive(
  { name, snapshot }: Pick<ProfileRepository, 'name' | 'snapshot'>,
  time: string,
): string {
  const stamp = snapshotTime(time);
  if (snapshot === undefined)
    throw new BuildError('SETTING_CONFLICT', {
      reason: `the distribution names no snapshots of its repository "${name}"`,
      settings: ['snapshot'],
    });
  return snapshot.replaceAll('{time}', stamp);
}
