/** True on machines that keep the most significant byte of a number first (s390x). */
export const BIG_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0;
