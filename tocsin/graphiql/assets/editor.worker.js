import{d as a}from"./worker.js";export{a as initialize};
