BEGIN TRANSACTION;
CREATE TABLE outcome_history (
	sponsorship_id TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	creator_id TEXT NOT NULL, 
	campaign_id TEXT NOT NULL, 
	brand TEXT NOT NULL, 
	brief TEXT NOT NULL, 
	started_at_us BIGINT NOT NULL, 
	resolved_at_us BIGINT NOT NULL, 
	cost DOUBLE, 
	impressions BIGINT NOT NULL, 
	clicks BIGINT, 
	conversions BIGINT NOT NULL, 
	revenue DOUBLE, 
	post_id TEXT, 
	recommendation_id TEXT, 
	received_at_us BIGINT NOT NULL, 
	PRIMARY KEY (sponsorship_id, revision)
);
INSERT INTO "outcome_history" VALUES('a',1,'c1','k1','Luma','a serum',1728000000000000,1730592000000000,10.1,1000,50,3,NULL,NULL,'r1',5);
INSERT INTO "outcome_history" VALUES('b',1,'c1','k1','Luma','a serum',1728000000000000,1730592000000000,10.1,1000,50,3,NULL,NULL,'r1',5);
INSERT INTO "outcome_history" VALUES('b',2,'c1','k1','Luma','a serum',1728000000000000,1730592000000000,10.1,1000,50,4,NULL,NULL,'r1',6);
CREATE TABLE outcomes (
	sponsorship_id TEXT NOT NULL, 
	creator_id TEXT NOT NULL, 
	campaign_id TEXT NOT NULL, 
	brand TEXT NOT NULL, 
	brief TEXT NOT NULL, 
	started_at_us BIGINT NOT NULL, 
	resolved_at_us BIGINT NOT NULL, 
	cost DOUBLE, 
	impressions BIGINT NOT NULL, 
	clicks BIGINT, 
	conversions BIGINT NOT NULL, 
	revenue DOUBLE, 
	post_id TEXT, 
	recommendation_id TEXT, 
	revision INTEGER NOT NULL, 
	received_at_us BIGINT NOT NULL, 
	PRIMARY KEY (sponsorship_id)
);
INSERT INTO "outcomes" VALUES('a','c1','k1','Luma','a serum',1728000000000000,1730592000000000,10.1,1000,50,3,NULL,NULL,'r1',1,5);
INSERT INTO "outcomes" VALUES('b','c1','k1','Luma','a serum',1728000000000000,1730592000000000,10.1,1000,50,4,NULL,NULL,'r1',2,6);
CREATE TABLE recommendations (
	recommendation_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	served_at_us BIGINT NOT NULL, 
	brief TEXT NOT NULL, 
	brand TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	model_version TEXT NOT NULL, 
	as_of_us BIGINT NOT NULL, 
	campaign_id TEXT, 
	"plan" TEXT, 
	PRIMARY KEY (recommendation_id)
);
INSERT INTO "recommendations" VALUES('r1','portfolio',1,'{"query": "ä"}','Luma','run','3',7,'k1','{}');
CREATE TABLE served (
	recommendation_id TEXT NOT NULL, 
	candidates BLOB NOT NULL, 
	PRIMARY KEY (recommendation_id), 
	FOREIGN KEY(recommendation_id) REFERENCES recommendations (recommendation_id)
);
INSERT INTO "served" VALUES('r1',X'50415231');
CREATE TABLE store_format (
	format INTEGER NOT NULL, 
	PRIMARY KEY (format)
);
INSERT INTO "store_format" VALUES(1);
CREATE INDEX outcomes_by_campaign ON outcomes (campaign_id);
CREATE INDEX ix_recommendations_campaign_id ON recommendations (campaign_id);
COMMIT;
