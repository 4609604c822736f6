export type Finding = {
  name: string;
  ok: boolean;
  found: string;
  /** What mends it. */
  fix?: string;
  /** Nothing fails without it. */
  optional?: boolean;
};
