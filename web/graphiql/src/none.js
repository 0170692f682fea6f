export const parsers = {}, printers = {};
