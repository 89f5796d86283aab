/** Arguments of a kernel that is emulated, and limits for it: how long a guest takes depends on what else the machine does. */

/**
 * On a busy machine the kernel takes its clock to be slower than it is, and minutes pass within seconds: systemd must not give
 * up on what takes long by that clock.
 */
const PATIENT = 'systemd.default_timeout_start_sec=infinity systemd.default_device_timeout_sec=infinity';

/** Arguments that only save time, and those that let it be. */
export const FAST = `tsc=reliable no_timer_check mitigations=off nokaslr random.trust_cpu=on audit=0 apparmor=0 ${PATIENT}`;

/** The same, with few messages. */
export const QUIET = `quiet cryptomgr.notests ${FAST}`;

/** Seconds after which a guest is taken to hang. What tells that one fails is its console; nothing but a hang takes as long. */
export const PATIENCE = 1800;
