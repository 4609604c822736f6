/** Ids of executors: in names of certificates, of pods, and in subjects of events. */
export const EXECUTOR_ID = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const EXECUTOR_ID_WORDS = '1 to 63 lower-case letters, digits and inner dashes';
