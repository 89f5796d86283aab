/** Folder of rpm's database; where the distribution has it elsewhere this is a link to it. */
export const DATABASE = 'var/lib/rpm';
