-- Run once, when PostgreSQL's volume is empty. MLflow has the database `mlflow`.
CREATE DATABASE creatorfit;
