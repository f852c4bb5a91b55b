/** The content type of the statement that proves who reads or uploads an attachment. */
export const ACCESS_CONTENT_TYPE = 'application/vnd.treering.access';

/** The content type of the statement that asks for an enrolment, signed with the key that is to be enrolled. */
export const ENROLMENT_CONTENT_TYPE = 'application/vnd.treering.enrolment';
