export { svgChart } from './svg-chart.js';
