/**
 * The browser's entry of the API documents: takes the token out of the address, then draws the page.
 *
 * @module
 */
import { createRoot } from "react-dom/client";
import { DocsPage } from "./docs_page.tsx";
import { tokenFromAddress } from "./token.ts";

tokenFromAddress();
createRoot(document.getElementById("page")!).render(<DocsPage />);
