/** The `network` object of an experiment file, validated by its prior model; only that model's own file knows its other fields. */
export interface Network {
  /** Name of the prior model that understands this network. */
  readonly type: string;
}
