/** Style sheets, imported for the bundler alone. */
declare module "*.css";
