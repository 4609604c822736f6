import { circle } from './shapes/circle.mjs';
import { square } from './shapes/square.mjs';

for (const { name, area } of [square(3), circle(2)]) console.log(`${name}: ${area.toFixed(2)}`);
