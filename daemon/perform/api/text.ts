export { cleanText } from '../../system/clean-text.ts';
