import { berths } from './harbour.ts';

console.log(berths);
