export interface Shape {
  readonly name: string;
  readonly area: number;
}
