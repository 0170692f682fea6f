// Tocsin's bell. Apache-2.0; see LICENSES.txt for what is in it.
var e=globalThis,t=e.ShadowRoot&&(e.ShadyCSS===void 0||e.ShadyCSS.nativeShadow)&&`adoptedStyleSheets`in Document.prototype&&`replace`in CSSStyleSheet.prototype,n=Symbol(),r=/* @__PURE__ */ new WeakMap,i=class{constructor(e,t,r){if(this._$cssResult$=!0,r!==n)throw Error("CSSResult is not constructable. Use `unsafeCSS` or `css` instead.");this.cssText=e,this.t=t}get styleSheet(){let e=this.o,n=this.t;if(t&&e===void 0){let t=n!==void 0&&n.length===1;t&&(e=r.get(n)),e===void 0&&((this.o=e=new CSSStyleSheet).replaceSync(this.cssText),t&&r.set(n,e))}return e}toString(){return this.cssText}},a=e=>new i(typeof e==`string`?e:e+``,void 0,n),o=(e,...t)=>new i(e.length===1?e[0]:t.reduce((t,n,r)=>t+(e=>{if(!0===e._$cssResult$)return e.cssText;if(typeof e==`number`)return e;throw Error(`Value passed to 'css' function must be a 'css' function result: `+e+`. Use 'unsafeCSS' to pass non-literal values, but take care to ensure page security.`)})(n)+e[r+1],e[0]),e,n),s=(n,r)=>{if(t)n.adoptedStyleSheets=r.map(e=>e instanceof CSSStyleSheet?e:e.styleSheet);else for(let t of r){let r=document.createElement(`style`),i=e.litNonce;i!==void 0&&r.setAttribute(`nonce`,i),r.textContent=t.cssText,n.appendChild(r)}},c=t?e=>e:e=>e instanceof CSSStyleSheet?(e=>{let t=``;for(let n of e.cssRules)t+=n.cssText;return a(t)})(e):e,{is:l,defineProperty:u,getOwnPropertyDescriptor:d,getOwnPropertyNames:f,getOwnPropertySymbols:p,getPrototypeOf:m}=Object,h=globalThis,ee=h.trustedTypes,g=ee?ee.emptyScript:``,_=h.reactiveElementPolyfillSupport,v=(e,t)=>e,y={toAttribute(e,t){switch(t){case Boolean:e=e?g:null;break;case Object:case Array:e=e==null?e:JSON.stringify(e)}return e},fromAttribute(e,t){let n=e;switch(t){case Boolean:n=e!==null;break;case Number:n=e===null?null:Number(e);break;case Object:case Array:try{n=JSON.parse(e)}catch{n=null}}return n}},b=(e,t)=>!l(e,t),x={attribute:!0,type:String,converter:y,reflect:!1,useDefault:!1,hasChanged:b};Symbol.metadata??=Symbol(`metadata`),h.litPropertyMetadata??=/* @__PURE__ */ new WeakMap;var S=class extends HTMLElement{static addInitializer(e){this._$Ei(),(this.l??=[]).push(e)}static get observedAttributes(){return this.finalize(),this._$Eh&&[...this._$Eh.keys()]}static createProperty(e,t=x){if(t.state&&(t.attribute=!1),this._$Ei(),this.prototype.hasOwnProperty(e)&&((t=Object.create(t)).wrapped=!0),this.elementProperties.set(e,t),!t.noAccessor){let n=Symbol(),r=this.getPropertyDescriptor(e,n,t);r!==void 0&&u(this.prototype,e,r)}}static getPropertyDescriptor(e,t,n){let{get:r,set:i}=d(this.prototype,e)??{get(){return this[t]},set(e){this[t]=e}};return{get:r,set(t){let a=r?.call(this);i?.call(this,t),this.requestUpdate(e,a,n)},configurable:!0,enumerable:!0}}static getPropertyOptions(e){return this.elementProperties.get(e)??x}static _$Ei(){if(this.hasOwnProperty(v(`elementProperties`)))return;let e=m(this);e.finalize(),e.l!==void 0&&(this.l=[...e.l]),this.elementProperties=new Map(e.elementProperties)}static finalize(){if(this.hasOwnProperty(v(`finalized`)))return;if(this.finalized=!0,this._$Ei(),this.hasOwnProperty(v(`properties`))){let e=this.properties,t=[...f(e),...p(e)];for(let n of t)this.createProperty(n,e[n])}let e=this[Symbol.metadata];if(e!==null){let t=litPropertyMetadata.get(e);if(t!==void 0)for(let[e,n]of t)this.elementProperties.set(e,n)}this._$Eh=/* @__PURE__ */ new Map;for(let[e,t]of this.elementProperties){let n=this._$Eu(e,t);n!==void 0&&this._$Eh.set(n,e)}this.elementStyles=this.finalizeStyles(this.styles)}static finalizeStyles(e){let t=[];if(Array.isArray(e)){let n=new Set(e.flat(1/0).reverse());for(let e of n)t.unshift(c(e))}else e!==void 0&&t.push(c(e));return t}static _$Eu(e,t){let n=t.attribute;return!1===n?void 0:typeof n==`string`?n:typeof e==`string`?e.toLowerCase():void 0}constructor(){super(),this._$Ep=void 0,this.isUpdatePending=!1,this.hasUpdated=!1,this._$Em=null,this._$Ev()}_$Ev(){this._$ES=new Promise(e=>this.enableUpdating=e),this._$AL=/* @__PURE__ */ new Map,this._$E_(),this.requestUpdate(),this.constructor.l?.forEach(e=>e(this))}addController(e){(this._$EO??=/* @__PURE__ */ new Set).add(e),this.renderRoot!==void 0&&this.isConnected&&e.hostConnected?.()}removeController(e){this._$EO?.delete(e)}_$E_(){let e=/* @__PURE__ */ new Map,t=this.constructor.elementProperties;for(let n of t.keys())this.hasOwnProperty(n)&&(e.set(n,this[n]),delete this[n]);e.size>0&&(this._$Ep=e)}createRenderRoot(){let e=this.shadowRoot??this.attachShadow(this.constructor.shadowRootOptions);return s(e,this.constructor.elementStyles),e}connectedCallback(){this.renderRoot??=this.createRenderRoot(),this.enableUpdating(!0),this._$EO?.forEach(e=>e.hostConnected?.())}enableUpdating(e){}disconnectedCallback(){this._$EO?.forEach(e=>e.hostDisconnected?.())}attributeChangedCallback(e,t,n){this._$AK(e,n)}_$ET(e,t){let n=this.constructor.elementProperties.get(e),r=this.constructor._$Eu(e,n);if(r!==void 0&&!0===n.reflect){let i=(n.converter?.toAttribute===void 0?y:n.converter).toAttribute(t,n.type);this._$Em=e,i==null?this.removeAttribute(r):this.setAttribute(r,i),this._$Em=null}}_$AK(e,t){let n=this.constructor,r=n._$Eh.get(e);if(r!==void 0&&this._$Em!==r){let e=n.getPropertyOptions(r),i=typeof e.converter==`function`?{fromAttribute:e.converter}:e.converter?.fromAttribute===void 0?y:e.converter;this._$Em=r;let a=i.fromAttribute(t,e.type);this[r]=a??this._$Ej?.get(r)??a,this._$Em=null}}requestUpdate(e,t,n,r=!1,i){if(e!==void 0){let a=this.constructor;if(!1===r&&(i=this[e]),n??=a.getPropertyOptions(e),!((n.hasChanged??b)(i,t)||n.useDefault&&n.reflect&&i===this._$Ej?.get(e)&&!this.hasAttribute(a._$Eu(e,n))))return;this.C(e,t,n)}!1===this.isUpdatePending&&(this._$ES=this._$EP())}C(e,t,{useDefault:n,reflect:r,wrapped:i},a){n&&!(this._$Ej??=/* @__PURE__ */ new Map).has(e)&&(this._$Ej.set(e,a??t??this[e]),!0!==i||a!==void 0)||(this._$AL.has(e)||(this.hasUpdated||n||(t=void 0),this._$AL.set(e,t)),!0===r&&this._$Em!==e&&(this._$Eq??=/* @__PURE__ */ new Set).add(e))}async _$EP(){this.isUpdatePending=!0;try{await this._$ES}catch(e){Promise.reject(e)}let e=this.scheduleUpdate();return e!=null&&await e,!this.isUpdatePending}scheduleUpdate(){return this.performUpdate()}performUpdate(){if(!this.isUpdatePending)return;if(!this.hasUpdated){if(this.renderRoot??=this.createRenderRoot(),this._$Ep){for(let[e,t]of this._$Ep)this[e]=t;this._$Ep=void 0}let e=this.constructor.elementProperties;if(e.size>0)for(let[t,n]of e){let{wrapped:e}=n,r=this[t];!0!==e||this._$AL.has(t)||r===void 0||this.C(t,void 0,n,r)}}let e=!1,t=this._$AL;try{e=this.shouldUpdate(t),e?(this.willUpdate(t),this._$EO?.forEach(e=>e.hostUpdate?.()),this.update(t)):this._$EM()}catch(t){throw e=!1,this._$EM(),t}e&&this._$AE(t)}willUpdate(e){}_$AE(e){this._$EO?.forEach(e=>e.hostUpdated?.()),this.hasUpdated||(this.hasUpdated=!0,this.firstUpdated(e)),this.updated(e)}_$EM(){this._$AL=/* @__PURE__ */ new Map,this.isUpdatePending=!1}get updateComplete(){return this.getUpdateComplete()}getUpdateComplete(){return this._$ES}shouldUpdate(e){return!0}update(e){this._$Eq&&=this._$Eq.forEach(e=>this._$ET(e,this[e])),this._$EM()}updated(e){}firstUpdated(e){}};S.elementStyles=[],S.shadowRootOptions={mode:`open`},S[v(`elementProperties`)]=/* @__PURE__ */ new Map,S[v(`finalized`)]=/* @__PURE__ */ new Map,_?.({ReactiveElement:S}),(h.reactiveElementVersions??=[]).push(`2.1.2`);var C=globalThis,w=e=>e,T=C.trustedTypes,te=T?T.createPolicy(`lit-html`,{createHTML:e=>e}):void 0,E=`$lit$`,D=`lit$${Math.random().toFixed(9).slice(2)}$`,ne=`?`+D,re=`<${ne}>`,O=document,k=()=>O.createComment(``),A=e=>e===null||typeof e!=`object`&&typeof e!=`function`,ie=Array.isArray,ae=e=>ie(e)||typeof e?.[Symbol.iterator]==`function`,oe=`[ 	
\f\r]`,j=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,se=/-->/g,ce=/>/g,M=RegExp(`>|${oe}(?:([^\\s"'>=/]+)(${oe}*=${oe}*(?:[^ \t\n\f\r"'\`<>=]|("|')|))|$)`,`g`),le=/'/g,ue=/"/g,de=/^(?:script|style|textarea|title)$/i,fe=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),N=fe(1),P=fe(2),F=Symbol.for(`lit-noChange`),I=Symbol.for(`lit-nothing`),pe=/* @__PURE__ */ new WeakMap,L=O.createTreeWalker(O,129);function me(e,t){if(!ie(e)||!e.hasOwnProperty(`raw`))throw Error(`invalid template strings array`);return te===void 0?t:te.createHTML(t)}var he=(e,t)=>{let n=e.length-1,r=[],i,a=t===2?`<svg>`:t===3?`<math>`:``,o=j;for(let t=0;t<n;t++){let n=e[t],s,c,l=-1,u=0;for(;u<n.length&&(o.lastIndex=u,c=o.exec(n),c!==null);)u=o.lastIndex,o===j?c[1]===`!--`?o=se:c[1]===void 0?c[2]===void 0?c[3]!==void 0&&(o=M):(de.test(c[2])&&(i=RegExp(`</`+c[2],`g`)),o=M):o=ce:o===M?c[0]===`>`?(o=i??j,l=-1):c[1]===void 0?l=-2:(l=o.lastIndex-c[2].length,s=c[1],o=c[3]===void 0?M:c[3]===`"`?ue:le):o===ue||o===le?o=M:o===se||o===ce?o=j:(o=M,i=void 0);let d=o===M&&e[t+1].startsWith(`/>`)?` `:``;a+=o===j?n+re:l>=0?(r.push(s),n.slice(0,l)+E+n.slice(l)+D+d):n+D+(l===-2?t:d)}return[me(e,a+(e[n]||`<?>`)+(t===2?`</svg>`:t===3?`</math>`:``)),r]},ge=class e{constructor({strings:t,_$litType$:n},r){let i;this.parts=[];let a=0,o=0,s=t.length-1,c=this.parts,[l,u]=he(t,n);if(this.el=e.createElement(l,r),L.currentNode=this.el.content,n===2||n===3){let e=this.el.content.firstChild;e.replaceWith(...e.childNodes)}for(;(i=L.nextNode())!==null&&c.length<s;){if(i.nodeType===1){if(i.hasAttributes())for(let e of i.getAttributeNames())if(e.endsWith(E)){let t=u[o++],n=i.getAttribute(e).split(D),r=/([.?@])?(.*)/.exec(t);c.push({type:1,index:a,name:r[2],strings:n,ctor:r[1]===`.`?ve:r[1]===`?`?ye:r[1]===`@`?be:B}),i.removeAttribute(e)}else e.startsWith(D)&&(c.push({type:6,index:a}),i.removeAttribute(e));if(de.test(i.tagName)){let e=i.textContent.split(D),t=e.length-1;if(t>0){i.textContent=T?T.emptyScript:``;for(let n=0;n<t;n++)i.append(e[n],k()),L.nextNode(),c.push({type:2,index:++a});i.append(e[t],k())}}}else if(i.nodeType===8){if(i.data===ne)c.push({type:2,index:a});else{let e=-1;for(;(e=i.data.indexOf(D,e+1))!==-1;)c.push({type:7,index:a}),e+=D.length-1}}a++}}static createElement(e,t){let n=O.createElement(`template`);return n.innerHTML=e,n}};function R(e,t,n=e,r){if(t===F)return t;let i=r===void 0?n._$Cl:n._$Co?.[r],a=A(t)?void 0:t._$litDirective$;return i?.constructor!==a&&(i?._$AO?.(!1),a===void 0?i=void 0:(i=new a(e),i._$AT(e,n,r)),r===void 0?n._$Cl=i:(n._$Co??=[])[r]=i),i!==void 0&&(t=R(e,i._$AS(e,t.values),i,r)),t}var _e=class{constructor(e,t){this._$AV=[],this._$AN=void 0,this._$AD=e,this._$AM=t}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(e){let{el:{content:t},parts:n}=this._$AD,r=(e?.creationScope??O).importNode(t,!0);L.currentNode=r;let i=L.nextNode(),a=0,o=0,s=n[0];for(;s!==void 0;){if(a===s.index){let t;s.type===2?t=new z(i,i.nextSibling,this,e):s.type===1?t=new s.ctor(i,s.name,s.strings,this,e):s.type===6&&(t=new xe(i,this,e)),this._$AV.push(t),s=n[++o]}a!==s?.index&&(i=L.nextNode(),a++)}return L.currentNode=O,r}p(e){let t=0;for(let n of this._$AV)n!==void 0&&(n.strings===void 0?n._$AI(e[t]):(n._$AI(e,n,t),t+=n.strings.length-2)),t++}},z=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(e,t,n,r){this.type=2,this._$AH=I,this._$AN=void 0,this._$AA=e,this._$AB=t,this._$AM=n,this.options=r,this._$Cv=r?.isConnected??!0}get parentNode(){let e=this._$AA.parentNode,t=this._$AM;return t!==void 0&&e?.nodeType===11&&(e=t.parentNode),e}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(e,t=this){e=R(this,e,t),A(e)?e===I||e==null||e===``?(this._$AH!==I&&this._$AR(),this._$AH=I):e!==this._$AH&&e!==F&&this._(e):e._$litType$===void 0?e.nodeType===void 0?ae(e)?this.k(e):this._(e):this.T(e):this.$(e)}O(e){return this._$AA.parentNode.insertBefore(e,this._$AB)}T(e){this._$AH!==e&&(this._$AR(),this._$AH=this.O(e))}_(e){this._$AH!==I&&A(this._$AH)?this._$AA.nextSibling.data=e:this.T(O.createTextNode(e)),this._$AH=e}$(e){let{values:t,_$litType$:n}=e,r=typeof n==`number`?this._$AC(e):(n.el===void 0&&(n.el=ge.createElement(me(n.h,n.h[0]),this.options)),n);if(this._$AH?._$AD===r)this._$AH.p(t);else{let e=new _e(r,this),n=e.u(this.options);e.p(t),this.T(n),this._$AH=e}}_$AC(e){let t=pe.get(e.strings);return t===void 0&&pe.set(e.strings,t=new ge(e)),t}k(t){ie(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,r,i=0;for(let a of t)i===n.length?n.push(r=new e(this.O(k()),this.O(k()),this,this.options)):r=n[i],r._$AI(a),i++;i<n.length&&(this._$AR(r&&r._$AB.nextSibling,i),n.length=i)}_$AR(e=this._$AA.nextSibling,t){for(this._$AP?.(!1,!0,t);e!==this._$AB;){let t=w(e).nextSibling;w(e).remove(),e=t}}setConnected(e){this._$AM===void 0&&(this._$Cv=e,this._$AP?.(e))}},B=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(e,t,n,r,i){this.type=1,this._$AH=I,this._$AN=void 0,this.element=e,this.name=t,this._$AM=r,this.options=i,n.length>2||n[0]!==``||n[1]!==``?(this._$AH=Array(n.length-1).fill(/* @__PURE__ */ new String),this.strings=n):this._$AH=I}_$AI(e,t=this,n,r){let i=this.strings,a=!1;if(i===void 0)e=R(this,e,t,0),a=!A(e)||e!==this._$AH&&e!==F,a&&(this._$AH=e);else{let r=e,o,s;for(e=i[0],o=0;o<i.length-1;o++)s=R(this,r[n+o],t,o),s===F&&(s=this._$AH[o]),a||=!A(s)||s!==this._$AH[o],s===I?e=I:e!==I&&(e+=(s??``)+i[o+1]),this._$AH[o]=s}a&&!r&&this.j(e)}j(e){e===I?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,e??``)}},ve=class extends B{constructor(){super(...arguments),this.type=3}j(e){this.element[this.name]=e===I?void 0:e}},ye=class extends B{constructor(){super(...arguments),this.type=4}j(e){this.element.toggleAttribute(this.name,!!e&&e!==I)}},be=class extends B{constructor(e,t,n,r,i){super(e,t,n,r,i),this.type=5}_$AI(e,t=this){if((e=R(this,e,t,0)??I)===F)return;let n=this._$AH,r=e===I&&n!==I||e.capture!==n.capture||e.once!==n.once||e.passive!==n.passive,i=e!==I&&(n===I||r);r&&this.element.removeEventListener(this.name,this,n),i&&this.element.addEventListener(this.name,this,e),this._$AH=e}handleEvent(e){typeof this._$AH==`function`?this._$AH.call(this.options?.host??this.element,e):this._$AH.handleEvent(e)}},xe=class{constructor(e,t,n){this.element=e,this.type=6,this._$AN=void 0,this._$AM=t,this.options=n}get _$AU(){return this._$AM._$AU}_$AI(e){R(this,e)}},Se={M:E,P:D,A:ne,C:1,L:he,R:_e,D:ae,V:R,I:z,H:B,N:ye,U:be,B:ve,F:xe},Ce=C.litHtmlPolyfillSupport;Ce?.(ge,z),(C.litHtmlVersions??=[]).push(`3.3.3`);var we=(e,t,n)=>{let r=n?.renderBefore??t,i=r._$litPart$;if(i===void 0){let e=n?.renderBefore??null;r._$litPart$=i=new z(t.insertBefore(k(),e),e,void 0,n??{})}return i._$AI(e),i},Te=globalThis,V=class extends S{constructor(){super(...arguments),this.renderOptions={host:this},this._$Do=void 0}createRenderRoot(){let e=super.createRenderRoot();return this.renderOptions.renderBefore??=e.firstChild,e}update(e){let t=this.render();this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),super.update(e),this._$Do=we(t,this.renderRoot,this.renderOptions)}connectedCallback(){super.connectedCallback(),this._$Do?.setConnected(!0)}disconnectedCallback(){super.disconnectedCallback(),this._$Do?.setConnected(!1)}render(){return F}};V._$litElement$=!0,V.finalized=!0,Te.litElementHydrateSupport?.({LitElement:V});var Ee=Te.litElementPolyfillSupport;Ee?.({LitElement:V}),(Te.litElementVersions??=[]).push(`4.2.2`);var De={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},Oe=e=>(...t)=>({_$litDirective$:e,values:t}),ke=class{constructor(e){}get _$AU(){return this._$AM._$AU}_$AT(e,t,n){this._$Ct=e,this._$AM=t,this._$Ci=n}_$AS(e,t){return this.update(e,t)}update(e,t){return this.render(...t)}},{I:Ae}=Se,je=e=>e,Me=()=>document.createComment(``),H=(e,t,n)=>{let r=e._$AA.parentNode,i=t===void 0?e._$AB:t._$AA;if(n===void 0)n=new Ae(r.insertBefore(Me(),i),r.insertBefore(Me(),i),e,e.options);else{let t=n._$AB.nextSibling,a=n._$AM,o=a!==e;if(o){let t;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(t=e._$AU)!==a._$AU&&n._$AP(t)}if(t!==i||o){let e=n._$AA;for(;e!==t;){let t=je(e).nextSibling;je(r).insertBefore(e,i),e=t}}}return n},U=(e,t,n=e)=>(e._$AI(t,n),e),Ne={},Pe=(e,t=Ne)=>e._$AH=t,Fe=e=>e._$AH,Ie=e=>{e._$AR(),e._$AA.remove()},Le=(e,t,n)=>{let r=/* @__PURE__ */ new Map;for(let i=t;i<=n;i++)r.set(e[i],i);return r},Re=Oe(class extends ke{constructor(e){if(super(e),e.type!==De.CHILD)throw Error(`repeat() can only be used in text expressions`)}dt(e,t,n){let r;n===void 0?n=t:t!==void 0&&(r=t);let i=[],a=[],o=0;for(let t of e)i[o]=r?r(t,o):o,a[o]=n(t,o),o++;return{values:a,keys:i}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,r]){let i=Fe(e),{values:a,keys:o}=this.dt(t,n,r);if(!Array.isArray(i))return this.ut=o,a;let s=this.ut??=[],c=[],l,u,d=0,f=i.length-1,p=0,m=a.length-1;for(;d<=f&&p<=m;)if(i[d]===null)d++;else if(i[f]===null)f--;else if(s[d]===o[p])c[p]=U(i[d],a[p]),d++,p++;else if(s[f]===o[m])c[m]=U(i[f],a[m]),f--,m--;else if(s[d]===o[m])c[m]=U(i[d],a[m]),H(e,c[m+1],i[d]),d++,m--;else if(s[f]===o[p])c[p]=U(i[f],a[p]),H(e,i[d],i[f]),f--,p++;else if(l===void 0&&(l=Le(o,p,m),u=Le(s,d,f)),l.has(s[d])){if(l.has(s[f])){let t=u.get(o[p]),n=t===void 0?null:i[t];if(n===null){let t=H(e,i[d]);U(t,a[p]),c[p]=t}else c[p]=U(n,a[p]),H(e,i[d],n),i[t]=null;p++}else Ie(i[f]),f--}else Ie(i[d]),d++;for(;p<=m;){let t=H(e,c[m+1]);U(t,a[p]),c[p++]=t}for(;d<=f;){let e=i[d++];e!==null&&Ie(e)}return this.ut=o,Pe(e,c),F}}),W=e=>N`<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${e}</svg>`,ze=W(P`<path d="M6 9a6 6 0 0 1 12 0c0 6 2 7.5 2.5 8h-17c.5-.5 2.5-2 2.5-8ZM10 20.5a2.2 2.2 0 0 0 4 0"/>`),Be=W(P`<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`),Ve=W(P`<path d="m6 6 12 12M18 6 6 18"/>`),He=W(P`<path d="M19 12H5m6-6-6 6 6 6"/>`),Ue=W(P`<path d="m5 12.5 4.5 4.5L19 7.5"/>`),We=W(P`<path d="m2.5 12.5 4.5 4.5L16 8M12 16.5l.5.5L21.500 8"/>`),Ge=W(P`<circle cx="12" cy="12" r="4.500" fill="currentColor"/>`),Ke=W(P`<path d="M4 4h16v4H4zM6 8v12h12V8M10 12h4"/>`),qe=6,Je=15,Ye=class{constructor(e){this.host=e,this.rows=[],this.first=0,this.fitting=12,this.height=0,this.activeIndex=0,this.focusNext=!1,this.onScroll=e=>{let t=e.currentTarget;this.remember(t);let n=Math.max(0,Math.floor(t.scrollTop/(this.height||1))-qe);n!==this.first&&(this.first=n,this.host.requestUpdate())},this.onFocus=e=>{let t=e.target.closest(`li`);t&&t.dataset.id!==this.active&&(this.active=t.dataset.id,this.activeIndex=Number(t.dataset.index),this.host.requestUpdate())},this.onKey=e=>{let t=this.rows.length-1,n={ArrowDown:this.activeIndex+1,ArrowUp:this.activeIndex-1,PageDown:this.activeIndex+this.fitting-1,PageUp:this.activeIndex-this.fitting+1,Home:0,End:t}[e.key],r=this.rows[this.activeIndex];if(e.key===`Delete`&&r)this.leave(r);else if(n===void 0)return;else this.activeIndex=Math.max(0,Math.min(t,n)),this.active=this.rows[this.activeIndex]?.id,this.focusNext=!0,this.host.requestUpdate();e.preventDefault()}}reset(){this.active=void 0,this.activeIndex=0,this.anchor=void 0,this.first=0;let e=this.scroller();e&&(e.scrollTop=0)}render(e,t,n){this.rows=e,this.settle();let r=Math.min(e.length,this.first+this.fitting+12),i=e.slice(this.first,r).map((e,t)=>({row:e,index:this.first+t})),a=e[this.activeIndex];a&&(this.activeIndex<this.first||this.activeIndex>=r)&&i.push({row:a,index:this.activeIndex});let o=n?-1:e.length;return N`<div class="scroller" part="list" @scroll=${this.onScroll} @keydown=${this.onKey} @focusin=${this.onFocus}>
<ul role="list" aria-label=${t.say(`notifications`)}>
${Re(i,({row:e})=>e.id,({row:e,index:n})=>this.row(e,n,o,t))}
</ul>
</div>`}updated(){let e=this.scroller(),t=e?.querySelector(`ul`);if(!e||!t)return this.focusPanelIfWanted();let n=[...t.querySelectorAll(`li`)];n[0]&&(this.height=n[0].offsetHeight||this.height),t.style.blockSize=`${this.rows.length*this.height}px`;for(let e of n)e.style.transform=`translateY(${Number(e.dataset.index)*this.height}px)`;this.keepPlace(e),this.focusIfWanted(e),this.measure(e),this.first+this.fitting+Je>=this.rows.length&&this.host.loadMore()}focus(){this.focusNext=!0,this.host.requestUpdate()}row(e,t,n,r){let i=t===this.activeIndex?0:-1,{title:a,read:o}=e,s=r.say(o?`markUnread`:`markRead`),c=r.say(`dismiss`),l=Xe(e);return N`<li
class=${o?`read`:`unread`}
part="row ${o?`read`:`unread`}"
data-id=${e.id}
data-index=${t}
data-severity=${e.severity}
aria-posinset=${t+1}
aria-setsize=${n}
>
<button class="row" part="row-button" tabindex=${i} @click=${()=>this.host.openRow(e)}>
${Ze(e)}
<span class="text">
<span class="title ${l?``:`long`}" part="title" dir="auto">${a}</span>
${l?N`<span class="preview" part="preview" dir="auto">${l}</span>`:I}
<span class="meta" part="meta"
>${o?I:N`<span class="sr">${r.say(`unread`)}. </span>`}<time
dir="auto"
datetime=${e.createdAt}
title=${r.full(e.createdAt)}
>${r.since(e.createdAt)}</time
> · <span dir="auto">${e.category}</span></span
>
</span>
</button>
<span class="actions" part="actions">
<button class="icon" tabindex=${i} title=${s} aria-label=${r.say(`about`,{action:s,title:a})} @click=${()=>this.host.toggleRead(e)}>
${o?Ge:Ue}
</button>
<button class="icon" tabindex=${i} title=${c} aria-label=${r.say(`about`,{action:c,title:a})} @click=${()=>this.leave(e)}>
${Ke}
</button>
</span>
</li>`}leave(e){this.focusNext=!0,this.host.dismiss(e)}settle(){let{rows:e,active:t}=this;if(t!==void 0&&e[this.activeIndex]?.id!==t){let n=e.findIndex(e=>e.id===t);n>=0&&(this.activeIndex=n)}this.activeIndex=Math.max(0,Math.min(this.activeIndex,e.length-1)),t!==void 0&&(this.active=e[this.activeIndex]?.id),this.first=Math.max(0,Math.min(this.first,e.length-this.fitting))}keepPlace(e){let{anchor:t}=this;if(t&&e.scrollTop>0&&this.rows[t.index]?.id!==t.id){let n=this.rows.findIndex(e=>e.id===t.id);n>=0&&(e.scrollTop+=(n-t.index)*this.height)}this.remember(e)}remember(e){let t=this.height?Math.floor(e.scrollTop/this.height):0,n=this.rows[t];this.anchor=n&&{id:n.id,index:t}}focusIfWanted(e){if(!this.focusNext)return;this.active=this.rows[this.activeIndex]?.id;let t=e.querySelector(`li[data-index="${this.activeIndex}"] .row`);if(!t)return this.focusPanelIfWanted();this.focusNext=!1,t.focus({preventScroll:!0}),this.reveal(e)}focusPanelIfWanted(){this.focusNext&&this.host.renderRoot.querySelector(`#panel`)?.focus(),this.focusNext=!1}reveal(e){let t=this.activeIndex*this.height,n=t+this.height-e.clientHeight;e.scrollTop>t?e.scrollTop=t:e.scrollTop<n&&(e.scrollTop=n)}measure(e){let t=this.height?Math.ceil(e.clientHeight/this.height):this.fitting;t&&t!==this.fitting&&(this.fitting=t,this.host.requestUpdate())}scroller(){return this.host.renderRoot.querySelector(`.scroller`)}},Xe=({title:e,body:t})=>{let n=t.replace(/\s+/g,` `).trim().slice(0,300);return n===e.trim()?``:n};function Ze({icon:e,category:t}){let n=/^[\x20-\x7e]*$/.test(e)?(t||`?`).slice(0,1).toUpperCase():e,r=0;for(let e of t)r+=e.charCodeAt(0);return N`<span class="mark" part="mark" data-tint=${r%6} aria-hidden="true">${n}</span>`}var Qe=/^(https?:|mailto:|\/(?![/\\]))/i;function $e(e,t,n){let r=[...e.url?[{label:n.say(`open`),url:e.url}]:[],...(t?.actions??[]).filter(({url:t})=>t!==e.url)].filter(({url:e})=>Qe.test(e));return N`<article class="pane" part="detail">
<div class="head">
${Ze(e)}
<div>
<h3 tabindex="-1" dir="auto">${e.title}</h3>
<p class="meta"><time dir="auto" datetime=${e.createdAt}>${n.full(e.createdAt)}</time> · <span dir="auto">${e.category}</span></p>
</div>
</div>
<div class="body" part="body" dir="auto" aria-busy=${t===void 0}>${et(e,t)}</div>
${r.length?N`<p class="links">
${r.map(({label:e,url:t},n)=>N`<a class=${n?`plain`:`primary`} part="link" href=${t} rel="noopener noreferrer">${e}</a>`)}
</p>`:I}
</article>`}function et(e,t){if(!t)return N`<p>${e.body}</p>`;let n=tt.get(t);if(!n){let e=document.createElement(`template`);e.innerHTML=t.body,n=document.createElement(`div`),n.append(e.content),tt.set(t,n)}return n}var tt=/* @__PURE__ */ new WeakMap,G=class extends Error{constructor(e,t){super(t),this.code=e}},nt=15e3;async function K(e,t,n){let r=await e.token(),i={query:String(t),variables:n},a=await rt(e,r,i);a.errors?.[0]?.extensions?.code===`UNAUTHENTICATED`&&await e.renew(r)&&(a=await rt(e,await e.token(),i));let o=a.errors?.[0];if(o)throw new G(o.extensions?.code??`UNKNOWN`,o.message);if(!a.data)throw new G(`UNKNOWN`,`The answer has no data.`);return a.data}async function rt(e,t,n){let r={"Content-Type":`application/json`,Accept:`application/graphql-response+json, application/json`};t&&(r.Authorization=`Bearer ${t}`),e.tenant&&(r[`X-Tenant-Id`]=e.tenant);let i=t?`same-origin`:`include`,a=AbortSignal.timeout(nt);try{let t=await fetch(e.endpoint,{method:`POST`,headers:r,body:JSON.stringify(n),credentials:i,signal:a}),o=await t.json();if(!o.data&&!o.errors)throw new G(`HTTP_${t.status}`,`This is no answer of the API.`);return o}catch(e){throw e instanceof G?e:new G(`NETWORK`,String(e))}}var q=class extends String{constructor(e,t){super(e),this.value=e,this.__meta__=t}toString(){return this.value}};new q(`
fragment Row on Notification {
id
category
severity
icon
title(format: PLAINTEXT)
body(format: PLAINTEXT)
url
read
unreadSeq
createdAt
}
`,{fragmentName:`Row`});var it=new q(`
query Page($first: Int!, $after: String, $filter: NotificationFilter) {
notifications(first: $first, after: $after, filter: $filter) {
eventCursor
unreadCount
nodes {
...Row
}
pageInfo {
hasNextPage
endCursor
}
}
}
fragment Row on Notification {
id
category
severity
icon
title(format: PLAINTEXT)
body(format: PLAINTEXT)
url
read
unreadSeq
createdAt
}`),at=new q(`
query Full($id: ID!) {
notification(id: $id) {
id
body(format: HTML)
actions {
label
url
}
}
}
`),ot=new q(`
subscription Badge {
stats {
unread
}
}
`),st=new q(`
subscription Events($since: String!) {
inboxEvents(since: $since) {
__typename
cursor
stats {
unread
}
... on NotificationCreated {
notification {
...Row
}
}
... on NotificationUpdated {
notification {
...Row
}
}
... on NotificationRemoved {
id
}
... on InboxRead {
ids
upToSeq
}
}
}
fragment Row on Notification {
id
category
severity
icon
title(format: PLAINTEXT)
body(format: PLAINTEXT)
url
read
unreadSeq
createdAt
}`),ct=new q(`
mutation MarkRead($ids: [ID!]!, $read: Boolean!) {
read(ids: $ids, read: $read) {
notifications {
...Row
}
}
}
fragment Row on Notification {
id
category
severity
icon
title(format: PLAINTEXT)
body(format: PLAINTEXT)
url
read
unreadSeq
createdAt
}`),lt=new q(`
mutation Dismiss($ids: [ID!]!) {
dismiss(ids: $ids) {
changed
}
}
`),ut=new q(`
mutation MarkAllRead($upTo: String!) {
markAllRead(upTo: $upTo) {
marked
}
}
`),dt=new q(`
query Preferences {
effectivePreferences {
category
channelKind
enabled
decidedBy
template {
id
}
}
preferences(category: "*") {
channelKind
projectId
environmentId
quietStart
quietEnd
timezone
}
channels(first: 50) {
nodes {
kind
}
}
}
`),ft=new q(`
mutation SavePreference($preference: PreferenceInput!) {
updatePreferences(preferences: [$preference]) {
id
}
}
`);function J(e){return e===null?`null`:Array.isArray(e)?`array`:typeof e}function Y(e){return J(e)===`object`}function pt(e){return Array.isArray(e)&&e.length>0&&e.every(e=>`message`in e)}function mt(e,t){return e.length<124?e:t}var X=/* @__PURE__ */ (e=>(e[e.InternalServerError=4500]=`InternalServerError`,e[e.InternalClientError=4005]=`InternalClientError`,e[e.BadRequest=4400]=`BadRequest`,e[e.BadResponse=4004]=`BadResponse`,e[e.Unauthorized=4401]=`Unauthorized`,e[e.Forbidden=4403]=`Forbidden`,e[e.SubprotocolNotAcceptable=4406]=`SubprotocolNotAcceptable`,e[e.ConnectionInitialisationTimeout=4408]=`ConnectionInitialisationTimeout`,e[e.ConnectionAcknowledgementTimeout=4504]=`ConnectionAcknowledgementTimeout`,e[e.SubscriberAlreadyExists=4409]=`SubscriberAlreadyExists`,e[e.TooManyInitialisationRequests=4429]=`TooManyInitialisationRequests`,e))(X||{}),Z=/* @__PURE__ */ (e=>(e.ConnectionInit=`connection_init`,e.ConnectionAck=`connection_ack`,e.Ping=`ping`,e.Pong=`pong`,e.Subscribe=`subscribe`,e.Next=`next`,e.Error=`error`,e.Complete=`complete`,e))(Z||{});function ht(e){if(!Y(e))throw Error(`Message is expected to be an object, but got ${J(e)}`);if(!e.type)throw Error(`Message is missing the 'type' property`);if(typeof e.type!=`string`)throw Error(`Message is expects the 'type' property to be a string, but got ${J(e.type)}`);switch(e.type){case`connection_init`:case`connection_ack`:case`ping`:case`pong`:if(e.payload!=null&&!Y(e.payload))throw Error(`"${e.type}" message expects the 'payload' property to be an object or nullish or missing, but got "${e.payload}"`);break;case`subscribe`:if(typeof e.id!=`string`)throw Error(`"${e.type}" message expects the 'id' property to be a string, but got ${J(e.id)}`);if(!e.id)throw Error(`"${e.type}" message requires a non-empty 'id' property`);if(!Y(e.payload))throw Error(`"${e.type}" message expects the 'payload' property to be an object, but got ${J(e.payload)}`);if(typeof e.payload.query!=`string`)throw Error(`"${e.type}" message payload expects the 'query' property to be a string, but got ${J(e.payload.query)}`);if(e.payload.variables!=null&&!Y(e.payload.variables))throw Error(`"${e.type}" message payload expects the 'variables' property to be a an object or nullish or missing, but got ${J(e.payload.variables)}`);if(e.payload.operationName!=null&&J(e.payload.operationName)!==`string`)throw Error(`"${e.type}" message payload expects the 'operationName' property to be a string or nullish or missing, but got ${J(e.payload.operationName)}`);if(e.payload.extensions!=null&&!Y(e.payload.extensions))throw Error(`"${e.type}" message payload expects the 'extensions' property to be a an object or nullish or missing, but got ${J(e.payload.extensions)}`);break;case`next`:if(typeof e.id!=`string`)throw Error(`"${e.type}" message expects the 'id' property to be a string, but got ${J(e.id)}`);if(!e.id)throw Error(`"${e.type}" message requires a non-empty 'id' property`);if(!Y(e.payload))throw Error(`"${e.type}" message expects the 'payload' property to be an object, but got ${J(e.payload)}`);break;case`error`:if(typeof e.id!=`string`)throw Error(`"${e.type}" message expects the 'id' property to be a string, but got ${J(e.id)}`);if(!e.id)throw Error(`"${e.type}" message requires a non-empty 'id' property`);if(!pt(e.payload))throw Error(`"${e.type}" message expects the 'payload' property to be an array of GraphQL errors, but got ${JSON.stringify(e.payload)}`);break;case`complete`:if(typeof e.id!=`string`)throw Error(`"${e.type}" message expects the 'id' property to be a string, but got ${J(e.id)}`);if(!e.id)throw Error(`"${e.type}" message requires a non-empty 'id' property`);break;default:throw Error(`Invalid message 'type' property "${e.type}"`)}return e}function gt(e,t){return ht(typeof e==`string`?JSON.parse(e,t):e)}function Q(e,t){return ht(e),JSON.stringify(e,t)}function _t(e){let{url:t,connectionParams:n,lazy:r=!0,onNonLazyError:i=console.error,lazyCloseTimeout:a=0,keepAlive:o=0,disablePong:s,connectionAckWaitTimeout:c=0,retryAttempts:l=5,retryWait:u=async function(e){let t=2**e;await new Promise(e=>setTimeout(e,t*1e3+Math.floor(Math.random()*2700+300)))},shouldRetry:d=yt,on:f,webSocketImpl:p,generateID:m=function(){return`xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`.replace(/[xy]/g,e=>{let t=Math.random()*16|0;return(e==`x`?t:t&3|8).toString(16)})},jsonMessageReplacer:h,jsonMessageReviver:ee}=e,g;if(p){if(!xt(p))throw Error(`Invalid WebSocket implementation provided`);g=p}else typeof WebSocket<`u`?g=WebSocket:typeof global<`u`?g=global.WebSocket||global.MozWebSocket:typeof window<`u`&&(g=window.WebSocket||window.MozWebSocket);if(!g)throw Error("WebSocket implementation missing; on Node you can `import WebSocket from 'ws';` and pass `webSocketImpl: WebSocket` to `createClient`");let _=g,v=(()=>{let e=/* @__PURE__ */ (()=>{let e={};return{on(t,n){return e[t]=n,()=>{delete e[t]}},emit(t){`id`in t&&e[t.id]?.(t)}}})(),t={connecting:f?.connecting?[f.connecting]:[],opened:f?.opened?[f.opened]:[],connected:f?.connected?[f.connected]:[],ping:f?.ping?[f.ping]:[],pong:f?.pong?[f.pong]:[],message:f?.message?[e.emit,f.message]:[e.emit],closed:f?.closed?[f.closed]:[],error:f?.error?[f.error]:[]};return{onMessage:e.on,on(e,n){let r=t[e];return r.push(n),()=>{let e=r.indexOf(n);e>-1&&r.splice(e,1)}},emit(e,...n){for(let r of[...t[e]])r(...n)}}})();function y(e){let t=[v.on(`error`,n=>{t.forEach(e=>e()),e(n)}),v.on(`closed`,n=>{t.forEach(e=>e()),e(n)})];return()=>t.forEach(e=>e())}let b,x=0,S,C=!1,w=0,T=!1;async function te(){clearTimeout(S);let[e,r]=await(b??=new Promise((e,r)=>(async()=>{if(C){if(await u(w),!x)return b=void 0,r({code:1e3,reason:`All Subscriptions Gone`});w++}v.emit(`connecting`,C);let i=new _(typeof t==`function`?await t():t,`graphql-transport-ws`),a,l;function d(){isFinite(o)&&o>0&&(clearTimeout(l),l=setTimeout(()=>{i.readyState===_.OPEN&&(i.send(Q({type:Z.Ping})),v.emit(`ping`,!1,void 0))},o))}y(e=>{b=void 0,clearTimeout(a),clearTimeout(l),r(e),e instanceof vt&&(i.close(4499,`Terminated`),i.onerror=null,i.onclose=null)}),i.onerror=e=>v.emit(`error`,e),i.onclose=e=>v.emit(`closed`,e),i.onopen=async()=>{try{v.emit(`opened`,i);let e=typeof n==`function`?await n():n;if(i.readyState!==_.OPEN)return;i.send(Q(e?{type:Z.ConnectionInit,payload:e}:{type:Z.ConnectionInit},h)),isFinite(c)&&c>0&&(a=setTimeout(()=>{i.close(X.ConnectionAcknowledgementTimeout,`Connection acknowledgement timeout`)},c)),d()}catch(e){v.emit(`error`,e),i.close(X.InternalClientError,mt(e instanceof Error?e.message:String(e),`Internal client error`))}};let f=!1;i.onmessage=({data:t})=>{try{let n=gt(t,ee);if(v.emit(`message`,n),n.type===`ping`||n.type===`pong`){v.emit(n.type,!0,n.payload),n.type===`pong`?d():s||(i.send(Q(n.payload?{type:Z.Pong,payload:n.payload}:{type:Z.Pong},h)),v.emit(`pong`,!1,n.payload));return}if(f)return;if(n.type!==Z.ConnectionAck)throw Error(`First message cannot be of type ${n.type}`);clearTimeout(a),f=!0,v.emit(`connected`,i,n.payload,C),C=!1,w=0;let r=new Promise((e,t)=>y(t));r.catch(()=>{}),e([i,r])}catch(e){i.onmessage=null,v.emit(`error`,e),i.close(X.BadResponse,mt(e instanceof Error?e.message:String(e),`Bad response`))}}})()));e.readyState===_.CLOSING&&await r;let i=()=>{},l=new Promise(e=>i=e);return[e,i,new Promise((t,n)=>{let i=y(n);e.readyState!==_.OPEN&&r.catch(n),l.then(()=>{if(i(),!x){let t=()=>e.close(1e3,`Normal Closure`);isFinite(a)&&a>0?(clearTimeout(S),S=setTimeout(()=>{!x&&e.readyState===_.OPEN&&t()},a)):t()}t()})})]}function E(e){if(yt(e)&&(bt(e.code)||[X.InternalServerError,X.InternalClientError,X.BadRequest,X.BadResponse,X.Unauthorized,X.SubprotocolNotAcceptable,X.SubscriberAlreadyExists,X.TooManyInitialisationRequests].includes(e.code)))throw e;if(T)return!1;if(yt(e)&&e.code===1e3)return x>0;if(!l||w>=l||!d(e))throw e;return C=!0}r||(async()=>{for(x++;;)try{let[,,e]=await te();await e}catch(e){try{if(!E(e))return}catch(e){return i?.(e)}}})();function D(e,t){let n=m(e),r=!1,i=!1,a=()=>{x--,r=!0};return(async()=>{for(x++;;)try{let[o,s,c]=await te();if(r)return c.catch(()=>{}),s();let l=v.onMessage(n,e=>{switch(e.type){case Z.Next:t.next(e.payload);return;case Z.Error:i=!0,r=!0,t.error(e.payload),a();return;case Z.Complete:r=!0,a();return}});o.send(Q({id:n,type:Z.Subscribe,payload:e},h)),a=()=>{!r&&o.readyState===_.OPEN&&o.send(Q({id:n,type:Z.Complete},h)),x--,r=!0,s()},await c.finally(l);return}catch(e){if(!E(e))return}})().then(()=>{i||t.complete()}).catch(e=>{t.error(e)}),()=>{r||a()}}return{on:v.on,subscribe:D,iterate(e){let t=[],n={done:!1,error:null,resolve:()=>{}},r=D(e,{next(e){t.push(e),n.resolve()},error(e){n.done=!0,n.error=e,n.resolve()},complete(){n.done=!0,n.resolve()}}),i=async function*(){for(;;){for(t.length||await new Promise(e=>n.resolve=e);t.length;)yield t.shift();if(n.error)throw n.error;if(n.done)return}}();return i.throw=async e=>(n.done||(n.done=!0,n.error=e,n.resolve()),{done:!0,value:void 0}),i.return=async()=>(r(),{done:!0,value:void 0}),i},async dispose(){if(T=!0,b){let[e]=await b;e.close(1e3,`Normal Closure`)}},terminate(){b&&v.emit(`closed`,new vt)}}}var vt=class extends Error{name=`TerminatedCloseEvent`;message=`4499: Terminated`;code=4499;reason=`Terminated`;wasClean=!1};function yt(e){return Y(e)&&`code`in e&&`reason`in e}function bt(e){return![1e3,1001,1006,1005,1012,1013,1014].includes(e)&&e>=1e3&&e<=1999}function xt(e){return typeof e==`function`&&`constructor`in e&&`CLOSED`in e&&`CLOSING`in e&&`CONNECTING`in e&&`OPEN`in e}var St=2e4,Ct=1e4,wt=3e4,Tt=class{constructor(e,t){this.session=e,this.onConnection=t,this.retryAfterMs=0,this.refusals=0,this.hangUp=()=>this.client.terminate(),this.client=_t({url:e.endpoint.replace(/^http/,`ws`),connectionParams:()=>this.hello(),keepAlive:St,lazyCloseTimeout:1e3,retryAttempts:1/0,shouldRetry:e=>e.code!==4403,retryWait:e=>this.wait(e),on:{connected:()=>{this.refusals=0,t(`live`)},closed:e=>this.closed(e),ping:e=>{e||(this.watchdog=window.setTimeout(this.hangUp,Ct))},pong:e=>{e&&clearTimeout(this.watchdog)}}}),window.addEventListener(`offline`,this.hangUp)}follow(e,t,n,r=()=>{}){this.restart=()=>this.begin(String(e),{variables:t,next:n,lost:r}),this.restart()}resume(){this.restart?.()}close(){this.restart=void 0,this.stop(),clearTimeout(this.watchdog),window.removeEventListener(`offline`,this.hangUp),this.client.dispose()}begin(e,{variables:t,next:n,lost:r}){this.stop();let i=!1,a={query:e,get variables(){return t()}},o=this.client.subscribe(a,{next:({data:e,errors:t})=>{i||(e?n(e):t&&this.failed(t,r))},error:e=>{i||this.failed(e,r)},complete:()=>{}});this.stopped=()=>{i=!0,o()}}stop(){this.stopped?.(),this.stopped=void 0}async hello(){this.sent=await this.session.token();let{tenant:e}=this.session;return{...this.sent&&{authorization:`Bearer ${this.sent}`},...e&&{tenantId:e}}}closed(e){clearTimeout(this.watchdog),e.code===1012&&(this.retryAfterMs=Et(e.reason)),this.restart&&this.onConnection(`connecting`)}failed(e,t){this.stop();let n=(Array.isArray(e)?e[0]:void 0)?.extensions,r=n?.code??e.code;r===4401||r===`UNAUTHENTICATED`?this.renew():r===4403||r===`FORBIDDEN`?this.onConnection(`refused`):r===`INVALID_CURSOR`?t():this.again(n?.retryAfter===void 0?wt:n.retryAfter*1e3)}async renew(){let e=await this.session.renew(this.sent).catch(()=>!0);!this.stopped&&this.restart&&(e?this.again(Math.min(wt,500*2**this.refusals++)):this.onConnection(`expired`))}again(e){let{restart:t}=this,n=setTimeout(()=>this.restart===t&&t?.(),e);this.stopped=()=>clearTimeout(n)}async wait(e){let t=Math.min(wt,500*2**e)*(.5+Math.random()),n=this.retryAfterMs||t;this.retryAfterMs=0,await new Promise(e=>{let t=()=>{clearTimeout(r),window.removeEventListener(`online`,t),e()},r=setTimeout(t,n);window.addEventListener(`online`,t)})}};function Et(e){try{return Number(JSON.parse(e).retryAfterMs)||0}catch{return 0}}var Dt={rows:/* @__PURE__ */ new Map,unread:0,cursor:``,reach:{}},Ot=e=>e.createdAt+e.id;function kt(e,t){let n=new Map(e.rows);switch(t.__typename){case`NotificationCreated`:case`NotificationUpdated`:n.set(t.notification.id,t.notification);break;case`NotificationRemoved`:n.delete(t.id);break;case`InboxRead`:for(let[e,r]of n)(t.ids?.includes(e)??r.unreadSeq<=t.upToSeq)&&n.set(e,{...r,read:!0})}return{...e,rows:n,unread:t.stats.unread,cursor:t.cursor}}function At(e,t,n,r){let i=new Map(n.nodes.map(e=>[e.id,e])),a=r.reduce(kt,{...e,rows:i}).rows,o=new Map([...a,...e.rows]),s=n.nodes.at(-1),c=s?Ot(s):e.reach[t]?.lowest??``,l={endCursor:n.pageInfo.endCursor,more:n.pageInfo.hasNextPage,lowest:c};return{...e,rows:o,reach:{...e.reach,[t]:l}}}function jt(e,t){let n=new Map(e.rows),{unread:r}=e;for(let i of e.rows.values()){if(t.kind===`readAll`?i.unreadSeq>t.through:!t.ids.includes(i.id))continue;let e=t.kind!==`read`||t.read;t.kind===`dismiss`?n.delete(i.id):n.set(i.id,{...i,read:e}),r+=Number(i.read)-Number(e)}return t.kind===`readAll`&&(r=[...n.values()].filter(e=>!e.read).length),{...e,rows:n,unread:Math.max(0,r)}}function Mt({rows:e,reach:t},n){let{more:r,lowest:i}=t[n]??{more:!0,lowest:`￿`};return[...e.values()].filter(e=>(n===`all`||!e.read)&&(!r||Ot(e)>=i)).sort(Nt)}function Nt(e,t){return e.createdAt===t.createdAt?e.id<t.id?1:-1:e.createdAt<t.createdAt?1:-1}var Pt=50,Ft=200,It=5e3,Lt=class{constructor(e,t){this.session=e,this.listener=t,this.connection=`connecting`,this.known=!1,this.state=Dt,this.pending=[],this.heard=[],this.waiting=0,this.loads=Promise.resolve(),this.loading=/* @__PURE__ */ new Set,this.open=!0,this.latest=`all`,this.shownState={of:[this.state,this.pending],is:this.state,lists:{}},this.live=new Tt(e,e=>{this.connection=e,e===`live`&&(this.failure=void 0),t.changed()}),this.live.follow(ot,()=>({}),({stats:e})=>this.becomes({...this.state,unread:e.unread}))}get begun(){return this.state.cursor!==``}get unread(){return this.shown().is.unread}rows(e){let{is:t,lists:n}=this.shown();return n[e]??=Mt(t,e)}row(e){return this.shown().is.rows.get(e)}hasMore(e){return this.state.reach[e]?.more??!0}isLoading(e){return this.loading.has(e)}more(e){this.latest=e,!this.loading.has(e)&&this.hasMore(e)&&(this.loading.add(e),this.failure=void 0,this.loads=this.loads.then(()=>this.load(e)).catch(e=>{this.failure=Bt(e)}).finally(()=>{this.loading.delete(e),this.listener.changed()}),this.listener.changed())}read(e,t){return this.attempt({kind:`read`,ids:e,read:t},()=>K(this.session,ct,{ids:[...e],read:t}))}dismiss(e){return this.attempt({kind:`dismiss`,ids:e},()=>K(this.session,lt,{ids:[...e]}))}readAll(){let{cursor:e,rows:t}=this.state,n=[...t.values()].reduce((e,t)=>Math.max(e,t.unreadSeq),0);return this.attempt({kind:`readAll`,through:n},()=>K(this.session,ut,{upTo:e}))}async full(e){return(await K(this.session,at,{id:e})).notification}resume(){this.live.resume()}close(){this.open=!1,this.live.close()}shown(){let{state:e,pending:t}=this;return(this.shownState.of[0]!==e||this.shownState.of[1]!==t)&&(this.shownState={of:[e,t],is:t.reduce(jt,e),lists:{}}),this.shownState}becomes(e){this.open&&(this.state=e,this.known=!0,this.listener.changed())}async load(e){let t=this.state.reach[e]?.endCursor??null;await this.listening(async n=>{let r=await this.page(e,t);this.state.cursor?this.becomes(At(this.state,e,r,n())):this.beginWith(e,r)})}async page(e,t){let n=e===`unread`?{readState:`UNREAD`}:null,{notifications:r}=await K(this.session,it,{first:t?Ft:Pt,after:t,filter:n});if(!r)throw new G(`UNKNOWN`,`The answer has no page.`);return r}beginWith(e,t){let n={...Dt,unread:t.unreadCount,cursor:t.eventCursor};this.becomes(At(n,e,t,[])),this.open&&this.live.follow(st,()=>({since:this.state.cursor}),({inboxEvents:e})=>this.hear(e),()=>this.reread())}hear(e){if(e.__typename===`ResyncRequired`)return this.reread();this.waiting&&this.heard.push(e);let t=e.__typename===`NotificationCreated`&&!this.state.rows.has(e.notification.id);this.becomes(kt(this.state,e)),t&&this.listener.arrived(e.notification)}reread(){let{latest:e}=this;this.loads=this.loads.then(async()=>this.beginWith(e,await this.page(e,null))).catch(()=>{this.open&&setTimeout(()=>this.reread(),It)})}async attempt(e,t){this.pending=[...this.pending,e],this.listener.changed();try{await this.listening(async n=>{await t();let r=Rt(e,n());r&&this.becomes(jt(this.state,r))})}catch(e){this.listener.undone(Bt(e))}finally{this.pending=this.pending.filter(t=>t!==e),this.listener.changed()}}async listening(e){let t=this.heard.length;this.waiting++;try{await e(()=>this.heard.slice(t))}finally{--this.waiting===0&&(this.heard=[])}}};function Rt(e,t){if(e.kind===`readAll`)return t.some(e=>e.__typename===`InboxRead`&&e.ids===null)?void 0:e;let n=new Set(t.flatMap(zt)),r=e.ids.filter(e=>!n.has(e));return r.length?{...e,ids:r}:void 0}function zt(e){switch(e.__typename){case`NotificationCreated`:case`NotificationUpdated`:return[e.notification.id];case`NotificationRemoved`:return[e.id];case`InboxRead`:return e.ids??[];default:return[]}}var Bt=e=>e instanceof G?e:new G(`UNKNOWN`,String(e)),Vt=8,Ht=26,Ut=38,Wt=360;function Gt(e,t){let n=e.getBoundingClientRect(),r=n.bottom+Vt/2,i=window.innerHeight-r-Vt,a=i<Wt?window.innerHeight-16:i;t.style.maxHeight=`${a}px`;let o=parseFloat(getComputedStyle(document.documentElement).fontSize),s=t.offsetWidth||Math.min(Ht*o,document.documentElement.clientWidth-16),c=t.offsetHeight||Math.min(Ut*o,a),l=getComputedStyle(e).direction===`rtl`?n.left:n.right-s;t.style.left=`${Kt(l,document.documentElement.clientWidth-s)}px`,t.style.top=`${Kt(r,window.innerHeight-c)}px`}var Kt=(e,t)=>Math.max(Vt,Math.min(e,t-Vt)),qt={quietStart:null,quietEnd:null,timezone:null},Jt={quietStart:`22:00`,quietEnd:`07:00`},Yt=[`IN_APP`,`EMAIL`,`SLACK`,`WEBHOOK`,`APPRISE`],Xt=class{constructor(e,t,n){this.session=e,this.changed=t,this.undone=n,this.equal=!1,this.saves=Promise.resolve()}async load(){this.failure=void 0;try{let{effectivePreferences:e,preferences:t,channels:n}=await K(this.session,dt,{}),r=t?.find(e=>!e.channelKind&&!e.projectId&&!e.environmentId),i=/* @__PURE__ */ new Set([`IN_APP`,...(n?.nodes??[]).map(({kind:e})=>e)]);this.known={effective:(e??[]).filter(({template:e})=>!e),quiet:{...qt,...r},kinds:Yt.filter(e=>i.has(e))}}catch(e){this.failure=e instanceof G?e:new G(`UNKNOWN`,String(e))}this.changed()}render(e){return this.failure?N`<div class="empty" role="alert">
<p>${e.say(`failed`)}</p>
<button class="plain" @click=${()=>void this.load()}>${e.say(`retry`)}</button>
</div>`:this.known?N`<div class="pane" part="preferences">${this.table(this.known,e)}${this.quiet(this.known.quiet,e)}</div>`:N`<p class="empty" role="status">${e.say(`loading`)}</p>`}table({effective:e,kinds:t},n){let r=[...new Set(e.map(({category:e})=>e))].sort((e,t)=>e.localeCompare(t,n.language));return N`<table>
<caption>${n.say(`delivery`)}</caption>
<thead>
<tr>
<th scope="col"><span class="sr">${n.say(`category`)}</span></th>
${t.map(e=>N`<th scope="col">${n.say(e)}</th>`)}
</tr>
</thead>
<tbody>
${r.map(r=>N`<tr>
<th scope="row" dir="auto">${r}</th>
${t.map(t=>N`<td>${this.switch(e,r,t,n)}</td>`)}
</tr>`)}
</tbody>
</table>`}switch(e,t,n,r){let i=e.filter(e=>e.category===t&&e.channelKind===n),a=i.every(({decidedBy:e})=>e===`REQUIRED_TYPE`),o=i.some(({enabled:e})=>e),s=o&&!i.every(({enabled:e})=>e);return N`<input
type="checkbox"
role="switch"
part="switch"
aria-label="${t}, ${r.say(n)}"
title=${a?r.say(`always`):I}
?disabled=${a}
.indeterminate=${s}
.checked=${o}
@change=${e=>this.choose(t,n,e.target.checked)}
/>`}quiet(e,t){let n=e.quietStart!==null;return N`<fieldset>
<legend class="sr">${t.say(`quietHours`)}</legend>
<label class="line">
<span>${t.say(`quietHours`)}</span>
<input type="checkbox" role="switch" part="switch" aria-describedby="quiet-hint" .checked=${n} @change=${()=>this.toggleQuiet()} />
</label>
<p class="hint" id="quiet-hint">${t.say(`quietHint`)}</p>
${n?this.hours(e,t):I}
</fieldset>`}hours(e,t){let n=e=>t=>this.setQuiet({[e]:t.target.value}),r=(t,r)=>N`<label>
<span>${r}</span>
<input
type="time"
required
aria-invalid=${this.equal}
aria-describedby=${this.equal?`quiet-equal`:I}
.value=${e[t]?.slice(0,5)??``}
@change=${n(t)}
/>
</label>`,i=e.timezone??Zt;return N`<div class="hours">
${r(`quietStart`,t.say(`quietFrom`))} ${r(`quietEnd`,t.say(`quietUntil`))}
<label class="zone">
<span>${t.say(`timeZone`)}</span>
<select @change=${n(`timezone`)}>
${Qt(i).map(e=>N`<option value=${e} ?selected=${e===i}>${e.replaceAll(`_`,` `)}</option>`)}
</select>
</label>
</div>
${this.equal?N`<p class="error" id="quiet-equal" role="alert">${t.say(`quietEqual`)}</p>`:I}`}choose(e,t,n){let r=n=>n.category===e&&n.channelKind===t&&n.decidedBy!==`REQUIRED_TYPE`;this.save(e=>({...e,effective:e.effective.map(e=>r(e)?{...e,enabled:n}:e)}),{category:e,channelKind:t,enabled:n})}toggleQuiet(){this.equal=!1;let e=this.known?.quiet.quietStart!==null;this.saveQuiet(e?qt:{...Jt,timezone:Zt})}setQuiet(e){if(!this.known||Object.values(e).includes(``))return;let t={...this.known.quiet,...e};if(this.equal=t.quietStart?.slice(0,5)===t.quietEnd?.slice(0,5),!this.equal)return this.saveQuiet({...t,timezone:t.timezone??Zt});this.known={...this.known,quiet:t},this.changed()}saveQuiet({quietStart:e,quietEnd:t,timezone:n}){let r={quietStart:e,quietEnd:t,timezone:n};this.save(e=>({...e,quiet:r}),{category:`*`,...r})}save(e,t){this.known&&(this.known=e(this.known),this.changed(),this.saves=this.saves.then(async()=>void await K(this.session,ft,{preference:t})).catch(async e=>{this.undone(e instanceof G?e:new G(`UNKNOWN`,String(e))),await this.load()}))}},Zt=Intl.DateTimeFormat().resolvedOptions().timeZone||`UTC`,Qt=e=>[.../* @__PURE__ */ new Set([e,Zt,`UTC`,...Intl.supportedValuesOf(`timeZone`)])],$t=[`exp`,`iat`,`nbf`,`jti`];function $(e){let t=e.split(`.`)[1];if(!t)return e;try{let e=Object.entries(JSON.parse(atob(t.replaceAll(`-`,`+`).replaceAll(`_`,`/`))));return JSON.stringify(e.filter(([e])=>!$t.includes(e)).sort())}catch{return e}}var en=class{constructor(e,t,n,r,i){this.endpoint=e,this.tenant=t,this.provider=r,this.listener=i,this.held=n}async token(){return this.held===void 0&&this.provider&&await this.renew(void 0),this.held}async renew(e){if(this.held!==e)return!0;this.next??=Promise.resolve(this.provider?.());let t;try{t=await this.next}finally{this.next=void 0}return t!==void 0&&this.held!==void 0&&$(t)!==$(this.held)&&this.listener.replaced(t)?!1:(this.held=t??this.held,this.held!==e||(e!==void 0&&this.complained!==e&&this.listener.expired(),this.complained=e,!1))}take(e){let t=e!==void 0&&this.held!==void 0&&$(e)===$(this.held);return t&&(this.held=e),t}},tn={notifications:`Notifications`,unreadCount:{one:`{count} unread notification`,other:`{count} unread notifications`},noneUnread:`No unread notifications`,all:`All`,unread:`Unread`,filter:`Show`,markAllRead:`Mark all as read`,markRead:`Mark as read`,markUnread:`Mark as unread`,dismiss:`Dismiss`,about:`{action}: {title}`,arrived:`New notification: {title}`,preferences:`Preferences`,back:`Back to the list`,close:`Close`,open:`Open`,loading:`Loading`,empty:`Nothing here yet`,emptyHint:`What happens will show up here.`,allRead:`All caught up`,allReadHint:`Nothing is unread.`,failed:`This could not be loaded.`,retry:`Try again`,undone:`That could not be saved, and was undone.`,connecting:`No connection. This is what was last known.`,expired:`Your session has ended. Sign in again to go on.`,refused:`You no longer have access.`,delivery:`What reaches you, and where`,category:`Category`,always:`Always on`,IN_APP:`Inbox`,EMAIL:`Email`,SLACK:`Slack`,WEBHOOK:`Webhook`,APPRISE:`Other`,quietHours:`Quiet hours`,quietHint:`Messages wait until they end. The inbox does not, and what is critical does not wait.`,quietFrom:`From`,quietUntil:`Until`,timeZone:`Time zone`,quietEqual:`The two times must differ.`},nn=class{constructor(e,t){this.strings=e,this.language=t,this.plurals=new Intl.PluralRules(t),this.numbers=new Intl.NumberFormat(t),this.ago=new Intl.RelativeTimeFormat(t,{numeric:`auto`,style:`short`}),this.dates=new Intl.DateTimeFormat(t,{dateStyle:`medium`,timeStyle:`short`})}say(e,t={}){let n=this.strings[e]??tn[e],r=t.count;return(typeof n==`string`?n:n[this.plurals.select(Number(r))]??n.other??``).replace(/\{(\w+)\}/g,(e,n)=>{let r=t[n];return typeof r==`number`?this.numbers.format(r):String(r??``)})}short(e){return e>99?`${this.numbers.format(99)}+`:this.numbers.format(e)}since(e){let t=(new Date(e).getTime()-Date.now())/1e3,[n,r]=rn.find(([,e])=>-t>=e)??[`second`,1];return t<-604800?new Intl.DateTimeFormat(this.language,{dateStyle:`medium`}).format(new Date(e)):this.ago.format(n===`second`?0:Math.ceil(t/r),n)}full(e){return this.dates.format(new Date(e))}},rn=[[`day`,86400],[`hour`,3600],[`minute`,60]];function an(e){let t=e.getRootNode();return[(e.closest(`[lang]`)??(t instanceof ShadowRoot?t.host.closest(`[lang]`):null))?.getAttribute(`lang`),navigator.language,`en`].filter(e=>!!e).find(e=>{try{return Intl.getCanonicalLocales(e).length>0}catch{return!1}})}var on=o`
:host {
--bg: var(--tocsin-background, light-dark(#ffffff, #1b1c20));
--fg: var(--tocsin-text, light-dark(#1c1d21, #ececf0));
--soft: var(--tocsin-text-soft, light-dark(#5b5e69, #a7abb8));
--line: var(--tocsin-line, light-dark(#e5e6eb, #32343c));
--hover: var(--tocsin-hover, light-dark(#f4f5f8, #25272d));
--accent: var(--tocsin-accent, light-dark(#3b5bdb, #93a8ff));
--on-accent: var(--tocsin-on-accent, light-dark(#ffffff, #14162b));
--badge: var(--tocsin-badge, light-dark(#d6293e, #ff8a94));
--on-badge: var(--tocsin-on-badge, light-dark(#ffffff, #2c070b));
--radius: var(--tocsin-radius, 0.75rem);
--row: var(--tocsin-row-height, 5.25rem);
display: inline-block;
position: relative;
inline-size: 2.75rem;
block-size: 2.75rem;
vertical-align: middle;
color: inherit;
font-family: var(--tocsin-font, inherit);
line-height: 1.4;
text-align: start;
}
:host([hidden]) {
display: none;
}
:host([theme="light"]) {
color-scheme: light;
}
:host([theme="dark"]) {
color-scheme: dark;
}
* {
box-sizing: border-box;
}
button,
select,
input {
font: inherit;
color: inherit;
}
button {
margin: 0;
padding: 0;
border: 0;
background: none;
cursor: pointer;
text-align: start;
}
button:disabled,
button[aria-disabled="true"] {
opacity: 0.4;
cursor: default;
}
:focus-visible {
outline: 2px solid var(--accent);
outline-offset: -2px;
}
svg {
display: block;
inline-size: 1.25rem;
block-size: 1.25rem;
}
.sr {
position: absolute;
inline-size: 1px;
block-size: 1px;
overflow: hidden;
clip-path: inset(50%);
white-space: nowrap;
}
p,
h2,
h3,
ul {
margin: 0;
padding: 0;
}
/* the bell */
.bell {
display: grid;
place-items: center;
inline-size: 100%;
block-size: 100%;
border-radius: var(--radius);
}
.bell:hover {
background: color-mix(in srgb, currentColor 10%, transparent);
}
.bell:focus-visible {
outline-color: currentColor;
}
.bell svg {
inline-size: 1.5rem;
block-size: 1.5rem;
}
.badge {
position: absolute;
inset-block-start: 0.15rem;
inset-inline-start: 1.4rem;
min-inline-size: 1.15rem;
padding-inline: 0.25rem;
border-radius: 1rem;
background: var(--badge);
color: var(--on-badge);
font: 600 0.7rem/1.15rem system-ui, sans-serif;
text-align: center;
font-variant-numeric: tabular-nums;
pointer-events: none;
}
/* the panel */
#panel {
position: fixed;
inset: auto;
margin: 0;
padding: 0;
inline-size: min(26rem, calc(100vw - 1rem));
block-size: 38rem;
max-block-size: calc(100dvh - 1rem);
border: 1px solid var(--line);
border-radius: var(--radius);
background: var(--bg);
color: var(--fg);
box-shadow: 0 0.75rem 2.5rem rgb(0 0 0 / 18%), 0 0.125rem 0.5rem rgb(0 0 0 / 8%);
font-size: 0.9375rem;
overflow: hidden;
overscroll-behavior: contain;
}
#panel:popover-open {
display: flex;
flex-direction: column;
}
#panel:focus {
outline: none;
}
header {
display: flex;
align-items: center;
gap: 0.25rem;
padding: 0.625rem 0.625rem 0.5rem 1rem;
}
header:dir(rtl) {
padding: 0.625rem 1rem 0.5rem 0.625rem;
}
header.sub {
padding-inline: 0.625rem;
}
h2 {
flex: 1;
font-size: 1.0625rem;
font-weight: 650;
}
.icon {
display: grid;
place-items: center;
inline-size: 2.125rem;
block-size: 2.125rem;
border-radius: 0.5rem;
color: var(--soft);
}
.icon:hover:enabled {
background: var(--hover);
color: var(--fg);
}
.back svg:dir(rtl) {
transform: scaleX(-1);
}
.bar {
display: flex;
align-items: center;
justify-content: space-between;
gap: 0.5rem;
padding: 0 0.625rem 0.625rem 1rem;
border-block-end: 1px solid var(--line);
}
.bar:dir(rtl) {
padding-inline: 1rem 0.625rem;
}
.filters {
display: flex;
gap: 0.125rem;
padding: 0.1875rem;
border-radius: 0.625rem;
background: var(--hover);
}
.filters button {
padding: 0.1875rem 0.75rem;
min-block-size: 1.625rem;
border-radius: 0.4375rem;
font-size: 0.875rem;
color: var(--soft);
}
.filters [aria-pressed="true"] {
background: var(--bg);
color: var(--fg);
font-weight: 550;
box-shadow: 0 0 0 1px var(--line);
}
.plain {
display: inline-flex;
align-items: center;
gap: 0.375rem;
min-block-size: 2rem;
padding-inline: 0.5rem;
border-radius: 0.5rem;
color: var(--accent);
font-size: 0.875rem;
text-decoration: none;
}
.plain:hover:enabled,
a.plain:hover {
background: var(--hover);
}
.primary {
display: inline-flex;
align-items: center;
min-block-size: 2.25rem;
padding-inline: 0.875rem;
border-radius: 0.5rem;
background: var(--accent);
color: var(--on-accent);
font-weight: 550;
text-decoration: none;
}
.primary:focus-visible {
outline-offset: 2px;
}
.notice {
padding: 0.5rem 1rem;
border-block-end: 1px solid var(--line);
background: var(--hover);
color: var(--fg);
font-size: 0.875rem;
}
.notice[role="alert"] {
box-shadow: inset 0.1875rem 0 var(--badge);
}
/* the list */
.scroller {
position: relative;
flex: 1;
min-block-size: 0;
overflow-y: auto;
overflow-anchor: none;
overscroll-behavior: contain;
scrollbar-width: thin;
scrollbar-color: var(--line) transparent;
}
ul {
position: relative;
list-style: none;
}
li {
position: absolute;
inset-block-start: 0;
inset-inline: 0;
block-size: var(--row);
border-block-end: 1px solid var(--line);
contain: layout paint style;
}
.row {
display: flex;
gap: 0.75rem;
align-items: flex-start;
inline-size: 100%;
block-size: 100%;
padding: 0.6875rem 1rem;
overflow: hidden;
}
li:hover,
li:focus-within {
background: var(--hover);
}
.mark {
flex: none;
display: grid;
place-items: center;
inline-size: 2.25rem;
block-size: 2.25rem;
border-radius: 0.625rem;
font-weight: 600;
--tint: light-dark(#3b5bdb, #93a8ff);
background: color-mix(in srgb, var(--tint) 14%, var(--bg));
color: color-mix(in srgb, var(--tint) 75%, var(--fg));
}
[data-tint="1"] {
--tint: light-dark(#0b7285, #66d9e8);
}
[data-tint="2"] {
--tint: light-dark(#2b8a3e, #8ce99a);
}
[data-tint="3"] {
--tint: light-dark(#a8590a, #ffc078);
}
[data-tint="4"] {
--tint: light-dark(#a61e6e, #faa2c1);
}
[data-tint="5"] {
--tint: light-dark(#6741d9, #b197fc);
}
.text {
flex: 1;
min-inline-size: 0;
display: grid;
gap: 0.0625rem;
}
.title,
.preview {
overflow: hidden;
text-overflow: ellipsis;
white-space: nowrap;
}
.title.long {
display: -webkit-box;
-webkit-box-orient: vertical;
-webkit-line-clamp: 2;
white-space: normal;
overflow-wrap: anywhere;
}
.preview,
.meta {
color: var(--soft);
font-size: 0.8125rem;
}
.unread .title {
font-weight: 600;
}
.read .title {
color: var(--soft);
}
.unread .row::before {
content: "";
position: absolute;
inset-inline-start: 0.3125rem;
inset-block-start: 1.5rem;
inline-size: 0.4375rem;
block-size: 0.4375rem;
border-radius: 50%;
background: var(--accent);
}
[data-severity="HIGH"] .row::before,
[data-severity="CRITICAL"] .row::before {
background: var(--badge);
}
.actions {
position: absolute;
inset-block-end: 0.25rem;
inset-inline-end: 0.625rem;
display: flex;
gap: 0.125rem;
border-radius: 0.5rem;
background: var(--hover);
opacity: 0;
}
li:hover .actions,
li:focus-within .actions {
opacity: 1;
}
.actions .icon {
inline-size: 1.75rem;
block-size: 1.75rem;
}
.actions .icon:hover:enabled {
background: var(--line);
}
@media (hover: none) {
.actions {
opacity: 1;
background: none;
}
}
.skeleton {
flex: 1;
overflow: hidden;
}
.skeleton div {
block-size: var(--row);
border-block-end: 1px solid var(--line);
background: linear-gradient(var(--hover) 0 0) 4rem 1rem / 55% 0.75rem no-repeat,
linear-gradient(var(--hover) 0 0) 4rem 2.25rem / 35% 0.625rem no-repeat,
linear-gradient(var(--hover) 0 0) 1rem 0.75rem / 2.25rem 2.25rem no-repeat;
}
.empty {
flex: 1;
display: grid;
place-content: center;
justify-items: center;
gap: 0.25rem;
padding: 2rem;
color: var(--soft);
text-align: center;
}
.empty svg {
inline-size: 2.25rem;
block-size: 2.25rem;
margin-block-end: 0.5rem;
}
.empty strong {
color: var(--fg);
font-weight: 600;
}
/* one notification, and the preferences */
.pane {
flex: 1;
min-block-size: 0;
overflow-y: auto;
padding: 1rem;
border-block-start: 1px solid var(--line);
}
.head {
display: flex;
gap: 0.75rem;
}
h3 {
font-size: 1rem;
font-weight: 650;
overflow-wrap: anywhere;
}
h3:focus {
outline: none;
}
.body {
margin-block: 1rem;
overflow-wrap: anywhere;
}
.body a {
color: var(--accent);
}
.body img {
max-inline-size: 100%;
}
.body pre {
white-space: pre-wrap;
font-size: 0.8125rem;
}
.links {
display: flex;
flex-wrap: wrap;
gap: 0.5rem;
}
table {
inline-size: 100%;
border-collapse: collapse;
}
caption {
padding-block-end: 0.5rem;
font-weight: 600;
text-align: start;
}
thead th {
color: var(--soft);
font-size: 0.8125rem;
font-weight: 500;
}
th,
td {
padding-block: 0.5rem;
border-block-end: 1px solid var(--line);
text-align: center;
}
tbody th {
font-weight: 400;
text-align: start;
overflow-wrap: anywhere;
}
[role="switch"] {
appearance: none;
position: relative;
inline-size: 2.5rem;
block-size: 1.5rem;
margin: 0;
border-radius: 1rem;
background: light-dark(#8a8d98, #6b6f7c);
vertical-align: middle;
cursor: pointer;
}
[role="switch"]::before {
content: "";
position: absolute;
inset: 0.1875rem auto auto 0.1875rem;
inset-inline: 0.1875rem auto;
inline-size: 1.125rem;
block-size: 1.125rem;
border-radius: 50%;
background: #fff;
}
[role="switch"]:checked {
background: var(--accent);
}
[role="switch"]:checked::before {
background: var(--on-accent);
inset-inline: auto 0.1875rem;
}
[role="switch"]:indeterminate::before {
inset-inline: 0.6875rem auto;
}
[role="switch"]:focus-visible {
outline-offset: 2px;
}
[role="switch"]:disabled {
opacity: 0.5;
cursor: default;
}
fieldset {
margin: 1.25rem 0 0;
padding: 0;
border: 0;
}
.line {
display: flex;
align-items: center;
justify-content: space-between;
font-weight: 600;
}
.hint {
margin-block: 0.25rem 0.75rem;
color: var(--soft);
font-size: 0.8125rem;
}
.hours {
display: grid;
grid-template-columns: 1fr 1fr;
gap: 0.75rem;
}
.hours span {
display: block;
color: var(--soft);
font-size: 0.8125rem;
}
.zone {
grid-column: 1 / -1;
}
.hours input,
.hours select {
inline-size: 100%;
min-block-size: 2.25rem;
padding-inline: 0.5rem;
border: 1px solid light-dark(#8a8d98, #6b6f7c);
border-radius: 0.5rem;
background: var(--bg);
}
.error {
margin-block-start: 0.5rem;
color: var(--badge);
font-size: 0.875rem;
}
@media (prefers-reduced-motion: no-preference) {
[role="switch"]::before {
transition: translate 0.12s;
}
.actions {
transition: opacity 0.1s;
}
.badge.moved {
animation: pop 0.25s ease-out;
}
@keyframes pop {
from {
transform: scale(0.6);
}
}
}
@media (forced-colors: active) {
.badge,
#panel {
border: 1px solid;
}
.unread .row::before {
background: Highlight;
}
}
`,sn=6e3,cn=6e4,ln=class extends V{static{this.styles=on}static{this.properties={endpoint:{},token:{},tenant:{},tokenProvider:{attribute:!1},strings:{attribute:!1}}}constructor(){super(),this.words=new nn({},`en`),this.view={name:`list`},this.filter=`all`,this.isOpen=!1,this.hadFocus=!1,this.rowHadFocus=!1,this.undone=!1,this.said=``,this.list=new Ye(this),this.onBefore=e=>{let{activeElement:t}=this.renderRoot;this.isOpen=e.newState===`open`,this.hadFocus=!this.isOpen&&!!this.panel()?.contains(t),this.isOpen?this.opened():this.closed()},this.onToggle=()=>{this.isOpen?this.panel()?.focus():this.hadFocus&&this.renderRoot.querySelector(`.bell`)?.focus(),this.requestUpdate()},this.place=()=>{let e=this.panel();e&&Gt(this,e)},this.onKey=e=>{e.key===`Escape`&&this.view.name!==`list`?(e.preventDefault(),this.back()):e.key===`ArrowDown`&&e.target===e.currentTarget&&this.view.name===`list`&&(e.preventDefault(),this.list.focus())},this.endpoint=`/graphql`,this.token=this.tenant=this.tokenProvider=null,this.strings={}}get unread(){return this.inbox?.known?this.inbox.unread:void 0}open(){this.panel()?.showPopover()}close(){this.panel()?.hidePopover()}connectedCallback(){super.connectedCallback(),this.hasUpdated&&!this.inbox&&this.begin()}disconnectedCallback(){super.disconnectedCallback(),this.isOpen=!1,this.closed(),this.end()}willUpdate(e){this.rowHadFocus=!!this.renderRoot.activeElement?.closest(`li`),(!this.hasUpdated||e.has(`strings`))&&(this.words=new nn(this.strings,an(this))),e.has(`endpoint`)||e.has(`tenant`)||e.has(`tokenProvider`)?this.begin():e.has(`token`)&&this.takeToken()}updated(){this.isOpen&&this.list.updated(),this.keepFocus(),this.isOpen&&!this.inbox?.rows(this.filter).length&&this.loadMore();let{unread:e}=this;e!==this.told&&e!==void 0&&(this.told!==void 0&&this.renderRoot.querySelector(`.badge`)?.classList.add(`moved`),this.told=e,this.tell(`tocsin-unread`,{unread:e}))}render(){let{words:e}=this;return N`
<button class="bell" part="button" popovertarget="panel" aria-haspopup="dialog" aria-label=${this.label()}>
${ze}${this.unread?N`<span class="badge" part="badge" aria-hidden="true" @animationend=${dn}>${e.short(this.unread)}</span>`:I}
</button>
<span class="sr" role="status">${this.said}</span>
<div id="panel" part="panel" popover role="dialog" aria-labelledby="heading" tabindex="-1" @beforetoggle=${this.onBefore} @toggle=${this.onToggle} @keydown=${this.onKey}>
${this.isOpen?this.inside():I}
</div>
`}openRow(e){if(e.read||this.inbox?.read([e.id],!0),!this.tell(`tocsin-open`,{id:e.id,url:e.url,title:e.title,category:e.category}))return this.close();let t={name:`detail`,row:e,full:void 0};this.show(t);let n=e=>{t.full=e,this.requestUpdate()};this.inbox?.full(e.id).then(n,()=>n(null))}toggleRead(e){this.inbox?.read([e.id],!e.read)}dismiss(e){this.inbox?.dismiss([e.id])}loadMore(){this.view.name===`list`&&!this.inbox?.failure&&this.inbox?.more(this.filter)}begin(e=this.token??void 0){if(this.end(),!this.isConnected)return;let t=new URL(this.endpoint,document.baseURI).href,n=()=>this.inbox?.session!==i,r=e=>{n()||this.takeBack(e)},i=new en(t,this.tenant??void 0,e,this.tokenProvider??void 0,{expired:()=>{n()||this.tell(`tocsin-token-expired`,{})},replaced:e=>!n()&&!this.inbox?.known?!1:(n()||this.begin(e),this.requestUpdate(),!0)});this.inbox=new Lt(i,{changed:()=>this.requestUpdate(),undone:r,arrived:e=>{this.said=this.words.say(`arrived`,{title:e.title})}}),this.preferences=new Xt(i,()=>this.requestUpdate(),r),this.view={name:`list`},this.isOpen&&this.inbox.more(this.filter)}end(){this.inbox?.close(),this.inbox=void 0,this.told=void 0,this.said=``,this.undone=!1,clearTimeout(this.timer)}takeToken(){this.inbox?.session.take(this.token??void 0)?this.inbox.resume():this.begin()}takeBack(e){this.undone=!0,this.tell(`tocsin-error`,{code:e.code,message:e.message}),clearTimeout(this.timer),this.timer=window.setTimeout(()=>{this.undone=!1,this.requestUpdate()},sn),this.requestUpdate()}tell(e,t){return this.dispatchEvent(new CustomEvent(e,{detail:t,bubbles:!0,composed:!0,cancelable:!0}))}inside(){switch(this.view.name){case`list`:return N`${this.header()}${this.bar()}${this.notice()}${this.rows()}`;case`preferences`:return N`${this.subHeader(this.words.say(`preferences`))}${this.notice()}${this.preferences?.render(this.words)}`;case`detail`:{let{row:e,full:t}=this.view;return N`${this.subHeader(this.words.say(`notifications`))}${this.notice()}${$e(this.inbox?.row(e.id)??e,t,this.words)}`}}}header(){return N`<header part="header">
<h2 id="heading">${this.words.say(`notifications`)}</h2>
${this.iconButton(`preferences`,Be,()=>this.openPreferences())} ${this.iconButton(`close`,Ve,()=>this.close())}
</header>`}subHeader(e){return N`<header class="sub" part="header">
${this.iconButton(`back`,He,()=>this.back())}
<h2 id="heading">${e}</h2>
${this.iconButton(`close`,Ve,()=>this.close())}
</header>`}iconButton(e,t,n){let r=this.words.say(e);return N`<button class="icon ${e}" part="icon-button" title=${r} aria-label=${r} @click=${n}>${t}</button>`}bar(){let e=e=>N`<button part="filter" aria-pressed=${this.filter===e} @click=${()=>this.choose(e)}>${this.words.say(e)}</button>`;return N`<div class="bar" part="bar">
<div class="filters" role="group" aria-label=${this.words.say(`filter`)}>${e(`all`)}${e(`unread`)}</div>
${this.markAll()}
</div>`}markAll(){let e=!this.unread||!this.inbox?.begun;return N`<button class="plain" part="mark-all" aria-disabled=${e} @click=${()=>{e||this.inbox?.readAll()}}>${We}${this.words.say(`markAllRead`)}</button>`}notice(){if(this.undone)return N`<p class="notice" part="notice" role="alert">${this.words.say(`undone`)}</p>`;let e=this.inbox?.connection;return!this.inbox?.known||!e||e===`live`?e===`expired`||e===`refused`?this.status(e):I:this.status(e)}status(e){return N`<p class="notice" part="notice" role="status">${this.words.say(e)}</p>`}rows(){let{inbox:e,words:t,filter:n}=this,r=e?.rows(n)??[],i=e?.failure&&(!r.length||e.connection===`live`)?this.failed(r.length?`notice`:`empty`):I;if(e&&r.length)return N`${i}${this.list.render(r,t,e.hasMore(n))}`;if(i!==I)return i;if(!e||e.hasMore(n))return N`<div class="skeleton" role="status" aria-label=${t.say(`loading`)}>${un}</div>`;let a=n===`unread`;return N`<div class="empty" part="empty">
${a?Ue:ze}<strong>${t.say(a?`allRead`:`empty`)}</strong>${t.say(a?`allReadHint`:`emptyHint`)}
</div>`}failed(e){let{words:t,filter:n}=this;return N`<div class=${e} role="alert">
<p>${t.say(`failed`)}</p>
<button class="plain" @click=${()=>this.inbox?.more(n)}>${t.say(`retry`)}</button>
</div>`}choose(e){this.filter=e,this.list.reset(),this.inbox?.more(e),this.requestUpdate()}openPreferences(){this.preferences?.load(),this.show({name:`preferences`})}back(){let e=this.view.name;this.show({name:`list`},e===`preferences`?`.preferences`:void 0),e===`detail`&&this.list.focus()}show(e,t=`.back`){this.view=e,this.requestUpdate(),this.updateComplete.then(()=>this.renderRoot.querySelector(t)?.focus())}opened(){this.words=new nn(this.strings,an(this)),this.list.reset(),window.addEventListener(`resize`,this.place),window.addEventListener(`scroll`,this.place,!0),this.clock=window.setInterval(()=>this.requestUpdate(),cn),this.inbox?.more(this.filter),this.place(),this.requestUpdate(),requestAnimationFrame(()=>{this.place(),this.requestUpdate()})}closed(){this.view={name:`list`},clearInterval(this.clock),window.removeEventListener(`resize`,this.place),window.removeEventListener(`scroll`,this.place,!0)}keepFocus(){this.isOpen&&this.view.name===`list`&&this.rowHadFocus&&!this.renderRoot.activeElement&&this.list.focus()}label(){let{words:e,unread:t}=this,n=t?e.say(`unreadCount`,{count:t}):e.say(`noneUnread`);return t===void 0?e.say(`notifications`):`${e.say(`notifications`)}: ${n}`}panel(){return this.renderRoot.querySelector(`#panel`)}},un=Array.from({length:5},()=>N`<div></div>`),dn=e=>e.currentTarget.classList.remove(`moved`);customElements.get(`tocsin-bell`)||customElements.define(`tocsin-bell`,ln);export{ln as TocsinBell};
// sources: 46b36c8c3761f68b7e43a5535b9cbe472ed702d484228514e5ab6216f5a090fe
