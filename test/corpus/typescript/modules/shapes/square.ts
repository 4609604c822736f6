import type { Shape } from '../shape.ts';

export const square = (side: number): Shape => ({ name: 'square', area: side ** 2 });
