/** What a lane's program is given: over its environment, or in its page. */
export type LaneSettings = {
  httpUrl: string;
  apiKey: string;
  /** Of the controls. */
  controls: string;
  /** How its runtime takes a module as an argument. Absent where no process can be started. */
  evaluate?: string[];
  /** Which scenarios to run. */
  only: string[];
};

const given = globalThis as { laneSettings?: LaneSettings };

export const settings: LaneSettings = given.laneSettings ?? JSON.parse(process.env.LANE_SETTINGS!);
